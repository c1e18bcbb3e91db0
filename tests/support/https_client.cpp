#include "tests/support/https_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

namespace keelson::testing {

struct HttpsClient::Impl {
    SSL_CTX* context = nullptr;
    SSL* session = nullptr;
    int socket = -1;
    bool connected = false;
    std::string buffer;

    ~Impl() {
        if (session != nullptr) SSL_free(session);
        if (context != nullptr) SSL_CTX_free(context);
        if (socket >= 0) ::close(socket);
    }
    bool fill() {
        char bytes[16384];
        const int count = SSL_read(session, bytes, sizeof bytes);
        if (count <= 0) return false;
        buffer.append(bytes, static_cast<std::size_t>(count));
        return true;
    }
    std::string take(std::size_t count) {
        while (buffer.size() < count && fill()) {
        }
        std::string text = buffer.substr(0, count);
        buffer.erase(0, count);
        return text;
    }
};

namespace {

BIO* reader(const std::string& text) {
    return BIO_new_mem_buf(text.data(), static_cast<int>(text.size()));
}

void use_certificate(SSL_CTX* context, const HttpsClient::Options& options) {
    BIO* bio = reader(options.certificate);
    X509* certificate = PEM_read_bio_X509(bio, nullptr, nullptr, nullptr);
    BIO_free(bio);
    bio = reader(options.key);
    EVP_PKEY* key = PEM_read_bio_PrivateKey(bio, nullptr, nullptr, nullptr);
    BIO_free(bio);
    SSL_CTX_use_certificate(context, certificate);
    SSL_CTX_use_PrivateKey(context, key);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

void use_ca(SSL_CTX* context, const std::string& pem) {
    BIO* bio = reader(pem);
    X509* authority = PEM_read_bio_X509(bio, nullptr, nullptr, nullptr);
    BIO_free(bio);
    X509_STORE_add_cert(SSL_CTX_get_cert_store(context), authority);
    X509_free(authority);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
}

}  // namespace

HttpsClient::HttpsClient(Options options) : impl_(std::make_unique<Impl>()) {
    ::signal(SIGPIPE, SIG_IGN);
    impl_->socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (options.receive_buffer_bytes > 0)
        ::setsockopt(impl_->socket, SOL_SOCKET, SO_RCVBUF, &options.receive_buffer_bytes, sizeof(int));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(options.port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(impl_->socket, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return;
    impl_->context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_options(impl_->context, SSL_OP_IGNORE_UNEXPECTED_EOF);
    if (!options.certificate.empty()) use_certificate(impl_->context, options);
    if (!options.ca.empty()) use_ca(impl_->context, options.ca);
    impl_->session = SSL_new(impl_->context);
    if (!options.ca.empty()) X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(impl_->session), "127.0.0.1");
    static constexpr unsigned char protocols[] = {2, 'h', '2', 8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
    SSL_set_alpn_protos(impl_->session, protocols, sizeof protocols);
    if (options.session != nullptr)
        SSL_set_session(impl_->session, static_cast<SSL_SESSION*>(options.session));
    SSL_set_fd(impl_->session, impl_->socket);
    impl_->connected = SSL_connect(impl_->session) == 1;
}

HttpsClient::HttpsClient(HttpsClient&& other) noexcept = default;
HttpsClient::~HttpsClient() = default;

bool HttpsClient::connected() const {
    return impl_->connected;
}
bool HttpsClient::resumed() const {
    return SSL_session_reused(impl_->session) == 1;
}
std::string HttpsClient::protocol() const {
    return SSL_get_version(impl_->session);
}
std::string HttpsClient::alpn() const {
    const unsigned char* data = nullptr;
    unsigned int size = 0;
    SSL_get0_alpn_selected(impl_->session, &data, &size);
    return {reinterpret_cast<const char*>(data), size};
}
std::string HttpsClient::server_common_name() const {
    char name[256] = {};
    X509* certificate = SSL_get0_peer_certificate(impl_->session);
    X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, name, sizeof name);
    return name;
}
void* HttpsClient::session() const {
    return SSL_get1_session(impl_->session);
}

bool HttpsClient::send(std::string_view bytes) {
    return impl_->connected && SSL_write(impl_->session, bytes.data(), static_cast<int>(bytes.size())) > 0;
}

Answer HttpsClient::request(std::string_view method, std::string_view target, std::string_view header_lines,
                            std::string_view body) {
    std::string text = std::string(method) + " " + std::string(target) + " HTTP/1.1\r\nHost: localhost\r\n" +
                       std::string(header_lines);
    if (!body.empty()) text += "Content-Length: " + std::to_string(body.size()) + "\r\n";
    text += "\r\n" + std::string(body);
    if (!send(text)) return {};
    return read_answer(method == "HEAD");
}

std::string HttpsClient::read_line() {
    for (;;) {
        if (const auto end = impl_->buffer.find("\r\n"); end != std::string::npos) {
            std::string line = impl_->buffer.substr(0, end);
            impl_->buffer.erase(0, end + 2);
            return line;
        }
        if (!impl_->connected || !impl_->fill()) return {};
    }
}

std::string HttpsClient::read_bytes(std::size_t count) {
    return impl_->connected ? impl_->take(count) : std::string();
}

std::string HttpsClient::read_chunk() {
    const std::size_t size = std::strtoul(read_line().c_str(), nullptr, 16);
    std::string chunk = impl_->take(size);
    read_line();
    return chunk;
}

Answer HttpsClient::read_answer(bool head) {
    Answer answer;
    const std::string first = read_line();
    if (first.size() < 12) return answer;
    answer.version = first.substr(0, 8);
    answer.status = std::atoi(first.c_str() + 9);
    for (;;) {
        const std::string line = read_line();
        if (line.empty()) break;
        const auto colon = line.find(": ");
        std::string name = line.substr(0, colon);
        std::ranges::transform(name, name.begin(), [](char c) { return static_cast<char>(std::tolower(c)); });
        answer.headers.emplace(std::move(name), line.substr(colon + 2));
    }
    if (head || answer.status == 100) return answer;
    if (answer.header("transfer-encoding") == "chunked") {
        for (;;) {
            const std::string chunk = read_chunk();
            if (chunk.empty()) break;
            answer.body += chunk;
        }
    } else if (answer.headers.contains("content-length")) {
        answer.body = impl_->take(std::strtoul(answer.header("content-length").c_str(), nullptr, 10));
    } else if (answer.version == "HTTP/1.0") {
        while (impl_->fill()) {
        }
        answer.body.swap(impl_->buffer);
    }
    return answer;
}

bool HttpsClient::at_end() {
    return impl_->buffer.empty() && !impl_->fill();
}

void HttpsClient::close() {
    if (impl_->session != nullptr) SSL_shutdown(impl_->session);
    if (impl_->socket >= 0) ::close(impl_->socket);
    impl_->socket = -1;
    impl_->connected = false;
}

}  // namespace keelson::testing
