#!/bin/sh
# Mails the report of the night. Server and login are those of the real thing, written into the script.
printf 'From: reports@shop.test\r\nTo: %s\r\nSubject: Report\r\n\r\n%s orders.\r\n' "$1" "$2" |
    curl --silent --show-error --ssl-reqd --url smtp://smtp.shop.test:587 \
        --user "reports@shop.test:$REPORT_PASSWORD" \
        --mail-from reports@shop.test --mail-rcpt "$1" --upload-file -
