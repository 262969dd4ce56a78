"""Reports that mail hosts send to domains: DMARC (RFC 9990, RFC 9991) and SMTP TLS (RFC 8460)."""
