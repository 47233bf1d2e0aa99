package admin

import (
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"github.com/acme-e2e/acme-e2e/mockca"
	"github.com/acme-e2e/acme-e2e/mockca/internal/settings"
)

var pathParameter = regexp.MustCompile(`\{(\w+)\}`)

// openAPI describes the routes: they are its only source.
func (s *Server) openAPI() map[string]any {
	paths := make(map[string]any)
	for _, r := range s.routes {
		item, ok := paths[r.path].(map[string]any)
		if !ok {
			item = make(map[string]any)
			paths[r.path] = item
		}
		item[strings.ToLower(r.method)] = r.describe()
	}
	return map[string]any{
		"openapi": "3.1.0",
		"info": map[string]any{"title": "acme-e2e: management of a simulated CA", "version": "1",
			"description": "Faults, clock, policy, objects, DNS records and transcript of a mockca.CA. Bodies may be YAML as well. Durations are text as 90s, 36h or 30d."},
		"paths": paths,
		"components": map[string]any{
			"schemas":         map[string]any{"Error": settings.Schema(Error{})},
			"securitySchemes": map[string]any{"token": map[string]any{"type": "http", "scheme": "bearer"}},
		},
		"security": []any{map[string]any{}, map[string]any{"token": []string{}}},
	}
}

func (r route) describe() map[string]any {
	op := map[string]any{"summary": r.summary, "operationId": r.id()}
	var parameters []any
	for _, m := range pathParameter.FindAllStringSubmatch(r.path, -1) {
		parameters = append(parameters, map[string]any{"name": m[1], "in": "path", "required": true, "schema": map[string]any{"type": "string"}})
	}
	for _, q := range r.query {
		parameters = append(parameters, map[string]any{"name": q.name, "in": "query", "description": q.doc, "schema": map[string]any{"type": "string"}})
	}
	if parameters != nil {
		op["parameters"] = parameters
	}
	if r.body != nil {
		op["requestBody"] = map[string]any{"required": true, "content": jsonOf(schemaOf(r.body))}
	}
	success := map[string]any{"description": "done"}
	switch {
	case r.media != "":
		success["content"] = map[string]any{r.media: map[string]any{"schema": map[string]any{"type": "string"}}}
	case r.answer != nil:
		success["content"] = jsonOf(schemaOf(r.answer))
	}
	op["responses"] = map[string]any{
		strconv.Itoa(r.status): success,
		"default": map[string]any{"description": "an error (RFC 9457)", "content": map[string]any{
			"application/problem+json": map[string]any{"schema": map[string]any{"$ref": "#/components/schemas/Error"}}}},
	}
	return op
}

func jsonOf(schema map[string]any) map[string]any {
	return map[string]any{"application/json": map[string]any{"schema": schema}}
}

// schemaOf describes what a value is as JSON. Objects of the CA's may have more
// members than they show here, as they have their own MarshalJSON.
func schemaOf(v any) map[string]any {
	switch v.(type) {
	case policyJSON:
		return settings.Schema(mockca.Policy{})
	case shown[DNS]:
		return settings.Schema(DNS{})
	case map[string]any, *mockca.Exchange, OrderSteps:
		return map[string]any{"type": "object"}
	case []*mockca.Exchange:
		return map[string]any{"type": "array", "items": map[string]any{"type": "object"}}
	}
	return open(settings.Schema(v))
}

// open lets answers have members that are not listed.
func open(schema map[string]any) map[string]any {
	if reflect.DeepEqual(schema["additionalProperties"], false) {
		delete(schema, "additionalProperties")
	}
	for _, inner := range []string{"items"} {
		if m, ok := schema[inner].(map[string]any); ok {
			open(m)
		}
	}
	return schema
}

// id is a name for code generators: "getOrdersIdSteps".
func (r route) id() string {
	name := strings.ToLower(r.method)
	for _, part := range strings.FieldsFunc(strings.TrimPrefix(r.path, "/api"), func(c rune) bool { return strings.ContainsRune("/{}.-", c) }) {
		name += strings.ToUpper(part[:1]) + part[1:]
	}
	return name
}
