"""OpenD, which speaks for Futu and moomoo, behind the interface of a link."""
