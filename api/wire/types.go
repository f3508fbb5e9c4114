package wire

// Catalog answers GET /v1/catalog.
type Catalog struct {
	Types []Type `json:"types"`
}

// Type is a resource type: the first segment of its resources.
type Type struct {
	Name        string   `json:"name"`
	Description string   `json:"description"`
	Builtin     bool     `json:"builtin" doc:"It is part of hallpass: it can't be changed or removed."`
	Actions     []Action `json:"actions"`
	Receipt     *Receipt `json:"receipt,omitempty" doc:"In the answer to a change that waited for all nodes."`
}

// Action is what can be done to resources of a type.
type Action struct {
	Name        string `json:"name"`
	Level       string `json:"level" enum:"list,read,write"`
	Description string `json:"description"`
}

// DefineType is the body of PUT /v1/catalog/types/{type}.
type DefineType struct {
	Description string         `json:"description,omitempty" maxLength:"1024"`
	Actions     []DefineAction `json:"actions" minItems:"1" maxItems:"256"`
}

// DefineAction is an action as its type is defined.
type DefineAction struct {
	Name        string `json:"name" doc:"Unique in the type. An action that stands in several types has the same level in all of them."`
	Level       string `json:"level" enum:"list,read,write" doc:"It never changes: grants of read cover list and read, grants of write the rest."`
	Description string `json:"description,omitempty" maxLength:"1024"`
}
