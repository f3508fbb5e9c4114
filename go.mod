module hallpass

go 1.26.0

require (
	github.com/bufbuild/protocompile v0.14.1
	github.com/oklog/ulid/v2 v2.1.2
	google.golang.org/protobuf v1.36.12
	pgregory.net/rapid v1.3.0
)

require (
	github.com/stretchr/testify v1.12.1 // indirect
	golang.org/x/sync v0.22.0 // indirect
)
