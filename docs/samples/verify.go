package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"os"
	"strconv"
	"strings"
)

// Verify says whether the message is genuine. body is what came, byte for byte.
func Verify(body []byte, id, timestamp, signatures, secret string, now int64) bool {
	sent, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil || now-sent > 300 || sent-now > 300 {
		return false
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		return false
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(id + "." + timestamp + "."))
	mac.Write(body)
	wanted := []byte("v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	for _, given := range strings.Split(signatures, " ") {
		if hmac.Equal(wanted, []byte(given)) {
			return true
		}
	}
	return false
}

func main() {
	body, err := io.ReadAll(os.Stdin)
	now, wrong := strconv.ParseInt(os.Args[5], 10, 64)
	if err != nil || wrong != nil || !Verify(body, os.Args[1], os.Args[2], os.Args[3], os.Args[4], now) {
		os.Exit(1)
	}
}
