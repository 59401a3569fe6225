// An application in Go that gets its webhooks through Hookline: HOOKLINE_SECRET=whsec_... PORT=3000 go run .
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"sync"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// The largest body that is read. Hookline forwards nothing larger than its own MAX_BODY_BYTES.
const maxBody = 10 << 20

// In an application: a unique column, written in the transaction that does the work.
var (
	mutex sync.Mutex
	done  = map[string]bool{}
)

func main() {
	webhook, err := standardwebhooks.NewWebhook(os.Getenv("HOOKLINE_SECRET"))
	if err != nil {
		log.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:"+os.Getenv("PORT"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("listening on", listener.Addr().(*net.TCPAddr).Port)
	log.Fatal(http.Serve(listener, http.HandlerFunc(func(response http.ResponseWriter, request *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(response, request.Body, maxBody))
		if err != nil {
			http.Error(response, "too large", http.StatusRequestEntityTooLarge)
			return
		}
		if webhook.Verify(body, request.Header) != nil {
			response.WriteHeader(http.StatusUnauthorized)
			return
		}
		mutex.Lock()
		defer mutex.Unlock()
		if id := request.Header.Get("webhook-id"); !done[id] {
			done[id] = true
			handle(request.Header, body)
		}
		response.WriteHeader(http.StatusNoContent) // only now: what is not answered comes again
	})))
}

func handle(header http.Header, body []byte) {
	line, _ := json.Marshal(map[string]string{
		"provider": header.Get("hookline-provider"),
		"type":     header.Get("hookline-event-type"),
		"id":       header.Get("webhook-id"),
		"body":     string(body),
	})
	fmt.Println(string(line))
}
