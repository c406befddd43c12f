"""The whole decoder against independent witnesses."""
