"""The only door to Microsoft: tokens from Entra, and what Graph says about credentials.

Nothing here loads msgraph, azure-identity or msal before it is needed.
"""
