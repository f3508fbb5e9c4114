// Package grpcauth puts hallpass in front of a gRPC server: a call goes on only
// when the bearer of the token in its metadata ("authorization: Bearer hp_…")
// may do what the call takes.
//
//	server := grpc.NewServer(
//		grpc.UnaryInterceptor(grpcauth.Unary(checker, need)),
//		grpc.StreamInterceptor(grpcauth.Stream(holds, need)),
//	)
//
// The handler finds who calls with client.DecisionFrom(ctx). The metadata that
// it sees has no authorization any more. Nothing is cached: each call is one
// check.
//
// Refusals are Unauthenticated (no token, or one that doesn't work, or that
// can't be read), PermissionDenied (the token may not do this, or there is no
// rule for the call) and Unavailable (nobody can say for sure). Whatever goes
// wrong is a refusal.
//
// A stream is cut as soon as its token dies or may no longer do this; see
// client.Holds. The message that a handler is waiting for then never reaches
// it, and the call ends with one of the codes above.
//
// This is the one package that imports google.golang.org/grpc: who doesn't use
// it links nothing of that.
package grpcauth
