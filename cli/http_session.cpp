#include "cli/http_session.h"

#include <Poco/Base64Encoder.h>
#include <Poco/Exception.h>
#include <Poco/Net/Context.h>
#include <Poco/Net/HTTPBasicCredentials.h>
#include <Poco/Net/HTTPSClientSession.h>
#include <Poco/Net/NetException.h>
#include <Poco/Net/SSLException.h>
#include <Poco/Net/SecureStreamSocket.h>
#include <Poco/Net/SocketAddress.h>
#include <Poco/Net/StreamSocket.h>

#include "kernel/base/openssl.h"

namespace keelson::cli {
namespace {

using Poco::Net::Context;
using Poco::Net::HTTPClientSession;
using Poco::Net::HTTPRequest;
using Session = std::unique_ptr<HTTPClientSession>;

const Poco::Timespan kConnectTimeout(5, 0);

Poco::Timespan timespan(std::chrono::milliseconds duration) {
    return {static_cast<Poco::Timespan::TimeDiff>(
        std::chrono::duration_cast<std::chrono::microseconds>(duration).count())};
}

Session open_socket(const Server& server, std::chrono::milliseconds patience) {
    using Poco::Net::SocketAddress;
    Poco::Net::StreamSocket socket;
    socket.connect(SocketAddress(SocketAddress::UNIX_LOCAL, server.socket_path), kConnectTimeout);
    socket.setReceiveTimeout(timespan(patience));
    socket.setSendTimeout(timespan(patience));
    // Made from the connected socket: made from the address, a session asks it for a host, which it lacks.
    return std::make_unique<HTTPClientSession>(socket);
}

void trust(SSL_CTX* context, const std::string& authorities) {
    const auto certificates = base::parse_certificates(authorities);
    if (certificates.empty())
        throw Poco::Net::SSLException("unable to load root certificates: no PEM certificate");
    for (const auto& one : certificates) X509_STORE_add_cert(SSL_CTX_get_cert_store(context), one.get());
}

void show_certificate(SSL_CTX* context, const std::string& certificate, const std::string& key) {
    const auto chain = base::parse_certificates(certificate);
    if (chain.empty() || SSL_CTX_use_certificate(context, chain.front().get()) != 1)
        throw Poco::Net::SSLException("the client's certificate is not a PEM certificate");
    for (std::size_t i = 1; i < chain.size(); ++i) SSL_CTX_add1_chain_cert(context, chain[i].get());
    const auto parsed = base::parse_private_key(key);
    if (!parsed || SSL_CTX_use_PrivateKey(context, parsed.get()) != 1) {
        ERR_clear_error();
        throw Poco::Net::SSLException("the client's key is not a PEM key that fits its certificate");
    }
}

Context::Ptr make_context(const Server& server) {
    Context::Params params;
    params.caLocation = server.ca_file;
    params.loadDefaultCAs = server.ca_file.empty() && server.authority.empty();
    params.verificationMode = server.trusts_anything ? Context::VERIFY_NONE : Context::VERIFY_STRICT;
    Context::Ptr context = new Context(Context::TLS_CLIENT_USE, params);
    context->disableProtocols(Context::PROTO_SSLV2 | Context::PROTO_SSLV3 | Context::PROTO_TLSV1 |
                              Context::PROTO_TLSV1_1);
    if (!server.authority.empty()) trust(context->sslContext(), server.authority);
    if (!server.certificate.empty()) show_certificate(context->sslContext(), server.certificate, server.key);
    return context;
}

// A session checks the certificate against its host; another name wants a socket of its own.
Session open_named(const Server& server, const Context::Ptr& context) {
    Poco::Net::SecureStreamSocket socket(context);
    socket.setPeerHostName(server.tls_server_name);
    socket.connect(Poco::Net::SocketAddress(server.host, server.port), kConnectTimeout);
    return std::make_unique<Poco::Net::HTTPSClientSession>(socket);
}

Session open_tls(const Server& server, std::chrono::milliseconds patience) {
    const Context::Ptr context = make_context(server);
    if (!server.tls_server_name.empty()) {
        Session session = open_named(server, context);
        session->setTimeout(kConnectTimeout, timespan(patience), timespan(patience));
        return session;
    }
    auto session = std::make_unique<Poco::Net::HTTPSClientSession>(server.host, server.port, context);
    session->setTimeout(kConnectTimeout, timespan(patience), timespan(patience));
    return session;
}

void show_who_asks(const Server& server, HTTPRequest& request) {
    if (!server.token.empty())
        request.set("Authorization", "Bearer " + server.token);
    else if (!server.user.empty())
        Poco::Net::HTTPBasicCredentials(server.user, server.password).authenticate(request);
}

}  // namespace

Session open_session(const Server& server, std::chrono::milliseconds patience) {
    if (!server.socket_path.empty()) return open_socket(server, patience);
    if (!server.is_plain) return open_tls(server, patience);
    auto session = std::make_unique<HTTPClientSession>(server.host, server.port);
    session->setTimeout(kConnectTimeout, timespan(patience), timespan(patience));
    return session;
}

HTTPRequest make_request(const Server& server, const Call& call) {
    HTTPRequest request(call.method, server.base_path + call.path, HTTPRequest::HTTP_1_1);
    if (server.socket_path.empty())
        request.setHost(server.host, server.port);
    else
        request.setHost("localhost");
    show_who_asks(server, request);
    request.set("User-Agent", "keelctl/" KEELSON_VERSION);
    request.setKeepAlive(false);
    for (const auto& [name, value] : server.headers) request.set(name, value);
    for (const std::string& group : server.impersonated_groups) request.add("Impersonate-Group", group);
    for (const auto& [name, value] : call.headers) request.set(name, value);
    return request;
}

tl::expected<void, Trouble> guarded(const std::function<void()>& work) {
    using Kind = Trouble::Kind;
    try {
        work();
        return {};
    } catch (const Poco::Net::SSLException& error) {
        return tl::unexpected(Trouble{Kind::untrusted, error.displayText()});
    } catch (const Poco::Net::ConnectionRefusedException& error) {
        return tl::unexpected(Trouble{Kind::refused, error.displayText()});
    } catch (const Poco::Net::DNSException& error) {
        return tl::unexpected(Trouble{Kind::unknown_host, error.displayText()});
    } catch (const Poco::TimeoutException& error) {
        return tl::unexpected(Trouble{Kind::timeout, error.displayText()});
    } catch (const Poco::Exception& error) {
        return tl::unexpected(Trouble{Kind::broken, error.displayText()});
    }
}

}  // namespace keelson::cli
