"""The only seam to Alibaba Cloud: clients, credentials, and one classifier of errors for each service."""
