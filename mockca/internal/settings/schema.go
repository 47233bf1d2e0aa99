package settings

import (
	"encoding"
	"encoding/json"
	"reflect"
)

// Schema is the JSON Schema of what Decode reads into a value like v, and of
// what Show makes of it.
func Schema(v any) map[string]any { return schema(reflect.TypeOf(v)) }

var (
	marshalerType = reflect.TypeFor[encoding.TextMarshaler]()
	jsonType      = reflect.TypeFor[json.Marshaler]()
)

func schema(t reflect.Type) map[string]any {
	switch {
	case t == nil || t == nodeType || t.Kind() == reflect.Interface:
		return map[string]any{}
	case t == durationType:
		return map[string]any{"type": "string", "description": "a duration", "examples": []string{"90s", "36h", "30d"}}
	case t == timeType:
		return map[string]any{"type": "string", "format": "date-time"}
	case t.Implements(marshalerType) || reflect.PointerTo(t).Implements(textType):
		return map[string]any{"type": "string"}
	case t.Implements(jsonType) || reflect.PointerTo(t).Implements(jsonType):
		return map[string]any{"type": "object"} // shows itself as it likes
	}
	switch t.Kind() {
	case reflect.Pointer:
		return schema(t.Elem())
	case reflect.String:
		return map[string]any{"type": "string"}
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.Float64:
		return map[string]any{"type": "number"}
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return map[string]any{"type": "string", "contentEncoding": "base64"}
		}
		return map[string]any{"type": "array", "items": schema(t.Elem())}
	case reflect.Map:
		return map[string]any{"type": "object", "additionalProperties": schema(t.Elem())}
	case reflect.Struct:
		properties := make(map[string]any)
		for _, f := range fieldsOf(t) {
			properties[f.name] = schema(f.typ)
		}
		return map[string]any{"type": "object", "properties": properties, "additionalProperties": false}
	}
	return map[string]any{"type": "integer"}
}
