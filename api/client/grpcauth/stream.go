package grpcauth

import (
	"context"
	"errors"

	"google.golang.org/grpc"

	"hallpass/api/client"
)

// Stream checks each call before its handler gets it, and cuts it when the
// right to it ends: from then on nothing is sent, the handler's Recv and Send
// return the status that the call ends with, and its context ends. A handler
// that waits for something else has to wait for the context too.
func Stream(holds *client.Holds, need Need) grpc.StreamServerInterceptor {
	return func(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
		ctx, secret, err := bearer(ss.Context())
		if err != nil {
			return err
		}
		n, err := need.of(ctx, info.FullMethod, nil)
		if err != nil {
			return errForbidden
		}
		held, err := holds.Hold(ctx, secret, n)
		if err != nil {
			return refusal(client.Decision{}, err)
		}
		defer held.Release()
		if err := refusal(held.Decision, nil); err != nil {
			return err
		}
		err = next(srv, &stream{ss, held.Context})
		if errors.As(context.Cause(held.Context), new(*client.CutError)) {
			return cutBy(held.Context) // whatever the handler makes of it
		}
		return err
	}
}

// stream is a grpc.ServerStream that ends with its context. Send and Recv wait
// beside a goroutine: gRPC's own end only with the call, which ends when the
// handler has returned; and so do these goroutines.
type stream struct {
	grpc.ServerStream
	ctx context.Context
}

func (s *stream) Context() context.Context { return s.ctx }

func (s *stream) RecvMsg(m any) error {
	return s.until(func() error { return s.ServerStream.RecvMsg(m) })
}

func (s *stream) SendMsg(m any) error {
	return s.until(func() error { return s.ServerStream.SendMsg(m) })
}

func (s *stream) until(f func() error) error {
	if s.ctx.Err() != nil {
		return cutBy(s.ctx)
	}
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		if s.ctx.Err() != nil { // a message that came at the same time doesn't count
			return cutBy(s.ctx)
		}
		return err
	case <-s.ctx.Done():
		return cutBy(s.ctx)
	}
}
