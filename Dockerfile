# The image holds one static binary and the CA certificates, nothing else: no
# shell, no package manager. Build it with "docker build -t hallpass .".

FROM golang:1.26 AS build
WORKDIR /src

# For builders that can't reach the public module proxy.
ARG GOPROXY=https://proxy.golang.org,direct

COPY go.mod go.sum ./
RUN go mod download

COPY . .
# What "hallpass version" says.
ARG VERSION=
RUN CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags "-s -w -X main.release=${VERSION}" -o /out/bin/hallpass ./cmd/hallpass \
    && mkdir -m 700 -p /out/owned/data /out/owned/keyring

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /out/bin/ /usr/local/bin/
# A fresh volume takes over the owner and mode that its mount point has here.
COPY --from=build --chown=65532:65532 /out/owned/ /

# Nothing is written outside /data: the root file system may be read-only. At
# /keyring a volume may be mounted that holds the keyring of several nodes.
VOLUME /data
USER 65532:65532
ENV HALLPASS_DATA=/data HALLPASS_LISTEN=:8080
EXPOSE 8080

# A node of a cluster that waits for the others is unhealthy, rightly, but no
# restart would help it: nothing should restart it for that.
HEALTHCHECK --interval=5s --timeout=5s --start-period=60s --retries=3 CMD ["hallpass", "ready"]

ENTRYPOINT ["hallpass"]
CMD ["serve"]
