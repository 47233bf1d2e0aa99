package admin

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/acme-e2e/acme-e2e/mockca"
)

func (s *Server) transcriptRoutes() []route {
	t := s.ca.Transcript()
	filters := []parameter{limitParameter, {"endpoint", "only those with this endpoint"}, {"account", "only those of this account: URL, path or number"},
		{"status", "only those answered with this HTTP status"}, {"order", "only those that belong to the order of this number"}, {"text", "only those that have this text somewhere"}}
	written := func(path, media, summary string, write func(http.ResponseWriter) error) route {
		return route{method: http.MethodGet, path: path, media: media, summary: summary, status: http.StatusOK,
			handle: func(w http.ResponseWriter, _ *http.Request) error {
				w.Header().Set("Content-Type", media)
				return write(w)
			}}
	}
	return []route{
		operation(http.MethodGet, "/api/transcript", "The exchanges, with decoded requests and what they changed", s.exchanges, filters...),
		operation(http.MethodGet, "/api/transcript/{id}", "An exchange, by its number", s.exchange),
		operation(http.MethodDelete, "/api/transcript", "Forgets all exchanges", func(*http.Request, none) (none, error) {
			t.Reset()
			return none{}, nil
		}),
		operation(http.MethodGet, "/api/changes", "What happened to objects", func(r *http.Request, _ none) ([]mockca.Change, error) { return latest(r, t.Changes()) }, limitParameter),
		written("/api/transcript.jsonl", "application/jsonl", "The transcript, an exchange per line", func(w http.ResponseWriter) error { return t.WriteJSONL(w) }),
		written("/api/transcript.har", "application/json", "The transcript as HTTP Archive", func(w http.ResponseWriter) error { return t.WriteHAR(w) }),
		written("/api/transcript.mmd", "text/plain; charset=utf-8", "The transcript as sequence diagram in Mermaid's language", func(w http.ResponseWriter) error { return t.WriteMermaid(w) }),
		{method: http.MethodGet, path: "/api/orders/{id}/diagram", media: "text/plain; charset=utf-8", summary: "An order as sequence diagram in Mermaid's language", status: http.StatusOK, handle: s.orderDiagram},
		operation(http.MethodGet, "/api/orders/{id}/steps", "What belongs to an order: exchanges and changes", s.orderSteps),
		{method: http.MethodGet, path: "/api/events", media: "text/event-stream", summary: "What happens from now on: events named exchange and change", status: http.StatusOK, handle: s.events},
	}
}

func (s *Server) exchanges(r *http.Request, _ none) ([]*mockca.Exchange, error) {
	q := r.URL.Query()
	list := s.ca.Transcript().Exchanges()
	if order := q.Get("order"); order != "" {
		list, _ = s.ca.Transcript().OfOrder(s.ca.URL(mockca.OrderURL) + "/" + order)
	}
	status, err := strconv.Atoi(q.Get("status"))
	if err != nil && q.Get("status") != "" {
		return nil, badRequest("status=%s is not a number", q.Get("status"))
	}
	text := strings.ToLower(q.Get("text"))
	return latest(r, slices.DeleteFunc(slices.Clone(list), func(x *mockca.Exchange) bool {
		if e := q.Get("endpoint"); e != "" && e != string(x.Endpoint) || status != 0 && status != x.Status {
			return true
		}
		if a := q.Get("account"); a != "" && a != x.Account && !strings.HasSuffix(x.Account, "/"+strings.TrimPrefix(a, "/")) {
			return true
		}
		return text != "" && !contains(x, text)
	}))
}

// contains looks for text in what MarshalJSON shows.
func contains(x *mockca.Exchange, text string) bool {
	data, err := json.Marshal(x)
	return err == nil && strings.Contains(strings.ToLower(string(data)), text)
}

func (s *Server) exchange(r *http.Request, _ none) (*mockca.Exchange, error) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	list := s.ca.Transcript().Exchanges()
	i := slices.IndexFunc(list, func(x *mockca.Exchange) bool { return x.ID == id })
	if err != nil || i < 0 {
		return nil, notFound("there is no exchange %s, or it is not kept any more", r.PathValue("id"))
	}
	return list[i], nil
}

func (s *Server) orderDiagram(w http.ResponseWriter, r *http.Request) error {
	o, err := s.order(r, none{})
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	return s.ca.Transcript().WriteMermaidOrder(w, o.URL)
}

// OrderSteps is what belongs to an order.
type OrderSteps struct {
	Exchanges []*mockca.Exchange `json:"exchanges"`
	Changes   []mockca.Change    `json:"changes"`
}

func (s *Server) orderSteps(r *http.Request, _ none) (OrderSteps, error) {
	o, err := s.order(r, none{})
	if err != nil {
		return OrderSteps{}, err
	}
	exchanges, changes := s.ca.Transcript().OfOrder(o.URL)
	return OrderSteps{append([]*mockca.Exchange{}, exchanges...), append([]mockca.Change{}, changes...)}, nil
}

// events streams until the client goes or the CA closes.
func (s *Server) events(w http.ResponseWriter, r *http.Request) error {
	flush := http.NewResponseController(w)
	_ = flush.SetWriteDeadline(time.Time{}) // a stream has none; not all servers can
	ctx := r.Context()
	exchanges, changes := s.ca.Transcript().Subscribe(ctx), s.ca.Transcript().SubscribeChanges(ctx)
	w.Header().Set("Content-Type", "text/event-stream")
	w.WriteHeader(http.StatusOK)
	fmt.Fprint(w, "retry: 1000\n\n")
	_ = flush.Flush()
	alive := time.NewTicker(15 * time.Second)
	defer alive.Stop()
	for {
		var err error
		select {
		case x, open := <-exchanges:
			if !open {
				return nil
			}
			err = event(w, "exchange", x)
		case c, open := <-changes:
			if !open {
				return nil
			}
			err = event(w, "change", c)
		case <-alive.C:
			_, err = fmt.Fprint(w, ": alive\n\n")
		}
		if err == nil {
			err = flush.Flush()
		}
		if err != nil {
			return nil // the client is gone
		}
	}
}

func event(w http.ResponseWriter, name string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "event: %s\ndata: %s\n\n", name, data)
	return err
}
