"""Operations, tokens, and what they say."""
