// Package wire holds the JSON of the native API, as both the server and the
// client read and write it. It knows nothing else of hallpass. The tags after
// the JSON names describe the fields in the OpenAPI document; the rules
// themselves are the domain's.
package wire
