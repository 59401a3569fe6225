// A consumer of webhooks with Go's standard library. Environment: PORT, DATABASE (a file), and SECRETS, separated by
// commas.
package main

import (
	"bufio"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"math"
	"net/http"
	"os"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// >>> genuine-only, fresh-only, accepted
func isGenuine(body []byte, headers http.Header, secrets []string, now time.Time) bool {
	id, timestamp := headers.Get("webhook-id"), headers.Get("webhook-timestamp")
	sent, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil || math.Abs(float64(now.Unix()-sent)) > 300 {
		return false
	}
	for _, secret := range secrets { // with no secret nothing is genuine; with two, either may have signed
		key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
		if err != nil {
			continue
		}
		mac := hmac.New(sha256.New, key)
		mac.Write(append([]byte(id+"."+timestamp+"."), body...))
		wanted := []byte("v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)))
		for _, given := range strings.Fields(headers.Get("webhook-signature")) {
			if hmac.Equal(wanted, []byte(given)) {
				return true
			}
		}
	}
	return false
}

// <<<

type event struct {
	Type      string `json:"type"`
	Timestamp string `json:"timestamp"`
	Data      struct {
		ID string `json:"id"`
	} `json:"data"`
}

// What is known is in memory, and every change is one line of a file: a table with a unique key does the same.
type shop struct {
	lock      sync.Mutex
	journal   *os.File
	processed map[string]bool
	happened  [][3]string
	objects   map[string]event
}

// >>> exactly-once, tenants-apart
func (s *shop) processOnce(tenant, id string, e event) error {
	s.lock.Lock()
	defer s.lock.Unlock()
	if s.processed[tenant+" "+id] {
		return nil
	}
	line, err := json.Marshal([5]string{tenant, id, e.Type, e.Timestamp, e.Data.ID})
	if err != nil {
		return err
	}
	_, err = s.journal.Write(append(line, '\n')) // one write holds the effect and "processed"
	if err = errors.Join(err, s.journal.Sync()); err == nil {
		s.apply(line)
	}
	return err
}

// <<<

// >>> any-order
func (s *shop) apply(line []byte) {
	var fact [5]string
	if json.Unmarshal(line, &fact) != nil {
		return // a line that a crash cut off was never answered
	}
	e := event{Type: fact[2], Timestamp: fact[3]}
	s.processed[fact[0]+" "+fact[1]] = true
	s.happened = append(s.happened, [3]string{fact[0], e.Type, fact[4]})
	name := fact[0] + "/" + fact[4]
	if known, ok := s.objects[name]; !ok || e.Timestamp > known.Timestamp {
		s.objects[name] = e
	}
}

// <<<

// >>> no-crash
func read(body []byte) (e event, ok bool) {
	if !utf8.Valid(body) || json.Unmarshal(body, &e) != nil {
		return e, false
	}
	for _, text := range []string{e.Type, e.Timestamp, e.Data.ID} {
		if text == "" || strings.ContainsRune(text, 0) {
			return e, false
		}
	}
	return e, true
}

// <<<

// >>> durable, silent, in-time, whole-batch
func (s *shop) receive(secrets []string, w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1_000_000))
	if err != nil {
		http.Error(w, "too large", http.StatusRequestEntityTooLarge)
	} else if !isGenuine(body, r.Header, secrets, time.Now()) {
		http.Error(w, "refused", http.StatusBadRequest) // the same words, whatever was wrong
	} else if e, ok := read(body); !ok {
		http.Error(w, "unreadable", http.StatusBadRequest)
	} else if err := s.processOnce(path.Base(r.URL.Path), r.Header.Get("webhook-id"), e); err != nil {
		http.Error(w, "try again", http.StatusServiceUnavailable)
	} // else 200, and only now: it is on the disk, and nothing slow was done before
}

// <<<

func (s *shop) state(w http.ResponseWriter) {
	s.lock.Lock()
	defer s.lock.Unlock()
	objects := map[string]string{}
	for name, e := range s.objects {
		objects[name] = e.Type
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"happened": s.happened, "objects": objects})
}

func main() {
	journal, err := os.OpenFile(os.Getenv("DATABASE"), os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		panic(err)
	}
	s := &shop{journal: journal, processed: map[string]bool{}, happened: [][3]string{}, objects: map[string]event{}}
	for lines := bufio.NewScanner(journal); lines.Scan(); {
		s.apply(lines.Bytes())
	}
	_, _ = journal.WriteString("\n")
	secrets := strings.FieldsFunc(os.Getenv("SECRETS"), func(r rune) bool { return r == ',' })
	http.HandleFunc("POST /hooks/{tenant}", func(w http.ResponseWriter, r *http.Request) { s.receive(secrets, w, r) })
	http.HandleFunc("GET /state", func(w http.ResponseWriter, r *http.Request) { s.state(w) })
	panic(http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), nil))
}
