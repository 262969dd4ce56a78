"""Receiving mail: the SMTP backend, the evaluation of policies, local delivery."""
