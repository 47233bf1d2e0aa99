package clientcases

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"

	"github.com/acme-e2e/acme-e2e/conformance/internal/wire"
)

// How the reference deals with its account.

func encodeJSON(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return data
}

func (v *visit) register() error {
	payload := map[string]any{}
	if v.Email != "" {
		payload["contact"] = []string{"mailto:" + v.Email}
		if v.on("odd-contact") {
			payload["contact"] = []string{"mailto:" + v.Email + "?subject=x"}
		}
	}
	if (v.AgreeTerms || v.on("always-agrees")) && !v.on("never-agrees") {
		payload["termsOfServiceAgreed"] = true
	}
	if v.Operation == FindAccount && !v.on("find-creates") {
		payload = map[string]any{"onlyReturnExisting": true}
	}
	if v.EABKeyID != "" {
		payload["externalAccountBinding"] = v.binding()
	}
	r, err := v.post(v.url("newAccount"), encodeJSON(payload), func(m *wire.Message) { m.KID = "" })
	if v.on("forgets-key") && err != nil {
		_ = os.Remove(v.keyFile())
	}
	if err != nil {
		return err
	}
	if v.on("needs-201") && r.Status != http.StatusCreated {
		return errors.New("not created")
	}
	v.kid = r.Location()
	if v.on("kid-from-body") {
		o, _ := r.Object()
		v.kid, _ = o["url"].(string)
	}
	return nil
}

func (v *visit) binding() json.RawMessage {
	header := map[string]any{"alg": "HS256", "kid": v.EABKeyID, "url": v.url("newAccount")}
	if v.on("eab-nonce") {
		header["nonce"] = "abc"
	}
	enc := base64.RawURLEncoding
	protected, payload := enc.EncodeToString(encodeJSON(header)), enc.EncodeToString(v.key.JWK())
	mac := wire.MAC(v.EABKey)([]byte(protected + "." + payload))
	return encodeJSON(map[string]string{"protected": protected, "payload": payload, "signature": enc.EncodeToString(mac)})
}

// manageAccount is for operations that are about the account.
func (v *visit) manageAccount() error {
	if err := v.account(); err != nil {
		return err
	}
	switch v.Operation {
	case FindAccount:
		return nil
	case UpdateAccount:
		if v.on("updates-nothing") {
			return nil
		}
		_, err := v.post(v.kid, encodeJSON(map[string]any{"contact": []string{"mailto:" + v.Email}}))
		return err
	case DeactivateAccount:
		return v.deactivate(v.kid)
	case DeactivateAuthz:
		return v.deactivate(v.URL)
	case PreAuthorize:
		id := map[string]any{"type": "dns", "value": v.Domains[0]}
		if v.on("odd-pre-authorization") {
			delete(id, "type")
		}
		r, err := v.post(v.url("newAuthz"), encodeJSON(map[string]any{"identifier": id}))
		if err != nil {
			return err
		}
		return v.prove([]string{r.Location()})
	case ListOrders:
		return v.listOrders()
	case ChangeKey:
		return v.changeKey()
	}
	return fmt.Errorf("no %s", v.Operation)
}

func (v *visit) deactivate(url string) error {
	payload := map[string]any{"status": "deactivated"}
	if v.on("odd-deactivation") {
		payload["really"] = true
	}
	_, err := v.post(url, encodeJSON(payload))
	return err
}

func (v *visit) listOrders() error {
	r, err := v.post(v.kid, []byte("{}"))
	if err != nil {
		return err
	}
	account, err := r.Object()
	if err != nil {
		return err
	}
	for url, _ := account["orders"].(string); url != ""; {
		if r, err = v.post(url, nil); err != nil {
			return err
		}
		var page struct{ Orders []string }
		if err := r.JSON(&page); err != nil {
			return err
		}
		for _, order := range page.Orders {
			_, _ = fmt.Fprintln(v.Output, order)
		}
		url = ""
		if next := r.Links("next"); len(next) > 0 && !v.on("one-page") {
			url = next[0]
		}
	}
	return nil
}

func (v *visit) changeKey() error {
	fresh := newReferenceKey("p256")
	inner := wire.Message{Key: fresh, URL: v.url("keyChange"), NoNonce: true, Payload: encodeJSON(map[string]any{"account": v.kid, "oldKey": v.key.JWK()})}
	if v.on("inner-nonce") {
		inner.NoNonce, inner.Nonce = false, "abc"
	}
	body, err := inner.Body()
	if err != nil {
		return err
	}
	_, err = v.post(v.url("keyChange"), body)
	lost := err != nil && !v.on("does-not-ask")
	if err == nil || v.on("switches-early") || lost && v.knows(fresh) {
		v.key = fresh
		return errors.Join(err, v.keepKey())
	}
	return err
}

// knows asks the CA whether the account has a key.
func (v *visit) knows(key *wire.Key) bool {
	r, err := v.post(v.url("newAccount"), encodeJSON(map[string]any{"onlyReturnExisting": true}), func(m *wire.Message) { m.KID, m.Key = "", key })
	return err == nil && r.Location() == v.kid
}
