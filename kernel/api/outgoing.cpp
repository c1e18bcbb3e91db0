#include "kernel/api/outgoing.h"

#include <netdb.h>

#include <algorithm>

#include "kernel/api/loop_file.h"
#include "kernel/api/tls.h"
#include "kernel/base/openssl.h"
#include "kernel/plugin/async_lock.h"

namespace keelson::api {
namespace {

using base::FileDescriptor;
using base::Reason;
using base::Result;
using base::Status;
using base::Task;
using ConnectionPointer = std::shared_ptr<OutgoingConnection>;

constexpr std::size_t kPiece = 32 << 10;

template <typename T>
using Owned = base::OpensslOwned<T>;

Status bad_material(std::string_view what) {
    return {Reason::internal_error, std::string(what) + ": " + base::take_openssl_error()};
}

Status unreachable(const OutgoingTarget& target, std::string_view why) {
    return {Reason::service_unavailable, "dial tcp " + target.text() + ": " + std::string(why)};
}

class PlainConnection final : public OutgoingConnection {
  public:
    explicit PlainConnection(std::unique_ptr<LoopFile> file) : file_(std::move(file)) {}

    Task<bool> read(std::string& out, std::size_t limit_bytes) override {
        return file_->read(out, limit_bytes);
    }
    Task<bool> write(std::string_view data) override { return file_->write(data); }
    void close() override { file_->close(); }

  private:
    std::unique_ptr<LoopFile> file_;
};

// OpenSSL sees two buffers in memory; what goes between them and the socket goes here. Its calls never
// suspend, so a reader and a writer may share the session.
class TlsConnection final : public OutgoingConnection {
  public:
    TlsConnection(std::unique_ptr<LoopFile> file, std::shared_ptr<const ClientTls> tls)
        : file_(std::move(file)), tls_(std::move(tls)), session_(SSL_new(tls_->context())) {
        in_ = BIO_new(BIO_s_mem());
        out_ = BIO_new(BIO_s_mem());
        SSL_set_bio(session_.get(), in_, out_);
        SSL_set_connect_state(session_.get());
    }

    // Empty, or why there is no session.
    Task<std::string> greet(std::string common_name) {
        while (true) {
            ERR_clear_error();
            const int done = SSL_do_handshake(session_.get());
            const int state = SSL_get_error(session_.get(), done);
            auto flushing = flush();
            const bool flushed = co_await flushing;
            if (done == 1) break;
            if (state != SSL_ERROR_WANT_READ) co_return "tls: " + base::take_openssl_error();
            auto filling = fill();
            const bool filled = co_await filling;
            if (!flushed || !filled) co_return "tls: the connection has ended during the handshake";
        }
        co_return tls_->asks_for_proof() ? judge(common_name) : std::string();
    }

    Task<bool> read(std::string& out, std::size_t limit_bytes) override {
        while (true) {
            const std::size_t before = out.size();
            out.resize(before + std::min(limit_bytes, kPiece));
            ERR_clear_error();
            const int count =
                SSL_read(session_.get(), out.data() + before, static_cast<int>(out.size() - before));
            const int state = count > 0 ? SSL_ERROR_NONE : SSL_get_error(session_.get(), count);
            out.resize(before + static_cast<std::size_t>(std::max(count, 0)));
            if (count > 0) co_return true;
            if (state != SSL_ERROR_WANT_READ) co_return false;
            // The peer may have asked for an answer of the session's own.
            auto flushing = flush();
            const bool flushed = co_await flushing;
            auto filling = fill();
            const bool filled = co_await filling;
            if (!flushed || !filled) co_return false;
        }
    }

    Task<bool> write(std::string_view data) override {
        while (!data.empty()) {
            ERR_clear_error();
            const auto size = static_cast<int>(std::min(data.size(), kPiece));
            const int count = SSL_write(session_.get(), data.data(), size);
            if (count <= 0) co_return false;
            data.remove_prefix(static_cast<std::size_t>(count));
            auto flushing = flush();
            const bool flushed = co_await flushing;
            if (!flushed) co_return false;
        }
        co_return true;
    }

    void close() override { file_->close(); }

  private:
    [[nodiscard]] std::string judge(const std::string& common_name) const {
        const auto peer = peer_certificate(session_.get());
        if (!peer || !peer->verified)
            return "tls: failed to verify certificate: " + (peer ? peer->verify_error : "there is none");
        if (!common_name.empty() && peer->common_name != common_name)
            return "tls: failed to verify certificate: it is valid for " + peer->common_name + ", not " +
                   common_name;
        return {};
    }

    Task<bool> fill() {
        std::string bytes;
        auto reading = file_->read(bytes, kPiece);
        const bool has_read = co_await reading;
        if (!bytes.empty()) BIO_write(in_, bytes.data(), static_cast<int>(bytes.size()));
        co_return has_read;
    }

    Task<bool> flush() {
        if (BIO_ctrl_pending(out_) == 0) co_return true;
        auto acquiring = flushing_.acquire();
        const plugin::AsyncLock::Hold turn = co_await acquiring;
        std::string bytes(BIO_ctrl_pending(out_), '\0');
        if (bytes.empty()) co_return true;
        BIO_read(out_, bytes.data(), static_cast<int>(bytes.size()));
        auto writing = file_->write(bytes);
        co_return co_await writing;
    }

    std::unique_ptr<LoopFile> file_;
    std::shared_ptr<const ClientTls> tls_;
    Owned<SSL> session_;
    BIO* in_ = nullptr;  // the session's
    BIO* out_ = nullptr;
    plugin::AsyncLock flushing_;
};

Task<Result<ConnectionPointer>> greet(IoLoop& loop, std::unique_ptr<LoopFile> file, OutgoingTarget target) {
    auto connection = std::make_shared<TlsConnection>(std::move(file), target.tls);
    const auto timer = loop.post_after(target.dial_patience, [connection] { connection->close(); });
    auto greeting = connection->greet(target.common_name);
    const std::string failure = co_await greeting;
    timer->cancel();
    if (!failure.empty()) co_return unreachable(target, failure);
    co_return ConnectionPointer(std::move(connection));
}

}  // namespace

Result<std::shared_ptr<const ClientTls>> ClientTls::create(const ClientTlsMaterial& material) {
    ERR_clear_error();
    Owned<SSL_CTX> context(SSL_CTX_new(TLS_client_method()));
    if (!context) return bad_material("TLS");
    SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
    // Judged after the handshake.
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_NONE, nullptr);
    if (!material.authority.empty()) {
        const auto authority = base::parse_certificate(material.authority);
        if (!authority || X509_STORE_add_cert(SSL_CTX_get_cert_store(context.get()), authority.get()) != 1)
            return bad_material("CA");
    }
    if (!material.certificate.empty()) {
        const auto own = base::parse_certificate(material.certificate);
        const auto key = base::parse_private_key(material.private_key);
        if (!own || !key || SSL_CTX_use_certificate(context.get(), own.get()) != 1 ||
            SSL_CTX_use_PrivateKey(context.get(), key.get()) != 1)
            return bad_material("client certificate");
    }
    return std::shared_ptr<const ClientTls>(new ClientTls(context.release(), !material.authority.empty()));
}

ClientTls::~ClientTls() {
    SSL_CTX_free(context_);
}

std::string OutgoingTarget::text() const {
    const bool is_v6 = address.find(':') != std::string::npos;
    return (is_v6 ? "[" + address + "]" : address) + ":" + std::to_string(port);
}

Task<Result<ConnectionPointer>> OutgoingConnection::dial(IoLoop& loop, OutgoingTarget target) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
    addrinfo* found = nullptr;
    if (::getaddrinfo(target.address.c_str(), std::to_string(target.port).c_str(), &hints, &found) != 0)
        co_return unreachable(target, "address is not valid");
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> address(found, &::freeaddrinfo);
    FileDescriptor socket(::socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!socket) co_return base::system_error("making a socket", errno);
    KEELSON_CO_TRY(std::unique_ptr<LoopFile> file, LoopFile::open(loop, std::move(socket)));
    const auto timer = loop.post_after(target.dial_patience, [raw = file.get()] { raw->close(); });
    auto connecting = file->connect(found->ai_addr, found->ai_addrlen);
    const int failure = co_await connecting;
    timer->cancel();
    if (failure == ECONNREFUSED) co_return unreachable(target, "connect: connection refused");
    if (failure == EHOSTUNREACH) co_return unreachable(target, "connect: no route to host");
    if (failure == ECANCELED) co_return unreachable(target, "i/o timeout");
    if (failure != 0) co_return unreachable(target, "connect: " + std::generic_category().message(failure));
    if (!target.tls) co_return ConnectionPointer(std::make_shared<PlainConnection>(std::move(file)));
    auto greeting = greet(loop, std::move(file), std::move(target));
    co_return co_await greeting;
}

}  // namespace keelson::api
