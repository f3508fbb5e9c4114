package grpcauth

import (
	"context"
	"errors"
	"net/netip"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"hallpass/api/client"
)

// Need says what a call of that method ("/package.Service/Method") takes. req
// is the request of a unary call, nil of a stream, whose first message has not
// come yet. An error refuses the call with PermissionDenied: there is no rule
// for it. It isn't shown to the caller.
//
// Its From, if not set, is the address of the peer.
type Need func(ctx context.Context, method string, req any) (client.Need, error)

func (f Need) of(ctx context.Context, method string, req any) (client.Need, error) {
	n, err := f(ctx, method, req)
	if p, ok := peer.FromContext(ctx); ok && p.Addr != nil && !n.From.IsValid() {
		if from, err := netip.ParseAddrPort(p.Addr.String()); err == nil {
			n.From = from.Addr()
		}
	}
	return n, err
}

// Unary checks each call before its handler gets it.
func Unary(checker client.Checker, need Need) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		ctx, secret, err := bearer(ctx)
		if err != nil {
			return nil, err
		}
		n, err := need.of(ctx, info.FullMethod, req)
		if err != nil {
			return nil, errForbidden
		}
		d, err := checker.Check(ctx, secret, n)
		if err := refusal(d, err); err != nil {
			return nil, err
		}
		return next(client.WithDecision(ctx, d), req)
	}
}

// bearer takes the credential out of the call's metadata. Its error is a status.
func bearer(ctx context.Context) (context.Context, client.Secret, error) {
	md, _ := metadata.FromIncomingContext(ctx) // a copy
	secret, err := client.Bearer(md.Get("authorization"))
	if err != nil {
		return ctx, "", status.Error(codes.Unauthenticated, err.Error())
	}
	md.Delete("authorization")
	return metadata.NewIncomingContext(ctx, md), secret, nil
}

var (
	errBadToken    = status.Error(codes.Unauthenticated, "the bearer token does not work")
	errForbidden   = status.Error(codes.PermissionDenied, "the token may not do this")
	errUnavailable = status.Error(codes.Unavailable, "whether this may be done can't be said for sure at the moment; try again shortly")
)

// refusal returns the status of a call that may not go on; nil if it may.
func refusal(d client.Decision, err error) error {
	switch {
	case err == nil && d.Allowed:
		return nil
	case err == nil && !d.Works:
		return errBadToken
	case err == nil, client.Code(err) == "invalid":
		return errForbidden
	}
	return errUnavailable
}

// cutBy returns the status of a stream whose context has ended: why it was cut,
// or, where it wasn't, the context's own.
func cutBy(ctx context.Context) error {
	if cut := (*client.CutError)(nil); errors.As(context.Cause(ctx), &cut) {
		return refusal(cut.Decision, cut.Err)
	}
	return status.FromContextError(ctx.Err()).Err()
}
