#include "cli/streams/proxy_server.h"

#include <Poco/Buffer.h>
#include <Poco/Event.h>
#include <Poco/Exception.h>
#include <Poco/Net/HTTPRequestHandler.h>
#include <Poco/Net/HTTPRequestHandlerFactory.h>
#include <Poco/Net/HTTPResponse.h>
#include <Poco/Net/HTTPServer.h>
#include <Poco/Net/HTTPServerRequestImpl.h>
#include <Poco/Net/HTTPServerResponse.h>
#include <Poco/Net/ServerSocket.h>
#include <Poco/StreamCopier.h>
#include <Poco/String.h>
#include <Poco/ThreadPool.h>
#include <Poco/URI.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>

#include "cli/http_session.h"
#include "cli/streams/duplex.h"
#include "cli/streams/static_files.h"

namespace keelson::cli::streams {
namespace {

using Poco::Net::HTTPRequest;
using Poco::Net::HTTPResponse;
using Poco::Net::HTTPServerRequest;
using Poco::Net::HTTPServerRequestImpl;
using Poco::Net::HTTPServerResponse;

// Every connection has a thread, watches for as long as they last.
constexpr int kMostConnections = 512;
constexpr std::size_t kPiece = 16u << 10;
constexpr mode_t kOnlyOwner = 0077;

// What is about one connection and not about the message (RFC 9110, 7.6.1).
bool is_for_one_hop(const std::string& name) {
    static constexpr std::array<const char*, 7> kNames{
        "connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"};
    return std::find(kNames.begin(), kNames.end(), Poco::toLower(name)) != kNames.end();
}

void answer_shortly(HTTPServerResponse& response, HTTPResponse::HTTPStatus status, const std::string& text) {
    response.setStatusAndReason(status);
    response.setContentType("text/plain; charset=utf-8");
    response.set("X-Content-Type-Options", "nosniff");
    const std::string line = text + "\n";
    response.sendBuffer(line.data(), line.size());
}

class Handler final : public Poco::Net::HTTPRequestHandler {
  public:
    Handler(const Server& server, const ProxyWish& wish) : server_(server), wish_(wish) {}

    void handleRequest(HTTPServerRequest& request, HTTPServerResponse& response) override {
        try {
            route(request, response);
        } catch (const Poco::Exception& error) {
            if (!response.sent())
                answer_shortly(response, HTTPResponse::HTTP_BAD_GATEWAY, error.displayText());
        }
    }

  private:
    void route(HTTPServerRequest& request, HTTPServerResponse& response) const {
        const std::string& target = request.getURI();
        const std::size_t question = std::min(target.find('?'), target.size());
        std::string path;
        Poco::URI::decode(target.substr(0, question), path);
        if (!path.starts_with('/')) return not_found(response);
        // The filter and the server must mean the same by a path.
        if (const std::string clean = cleaned(path); clean != path) {
            std::string encoded;
            Poco::URI::encode(clean, "?#", encoded);
            return response.redirect(encoded + target.substr(question), HTTPResponse::HTTP_MOVED_PERMANENTLY);
        }
        const bool is_file = !wish_.www.empty() && path.starts_with(wish_.www_prefix);
        if (is_file && (wish_.www_prefix.size() >= wish_.api_prefix.size() || !has_prefix(path)))
            return send_file(response, path.substr(wish_.www_prefix.size()));
        if (!has_prefix(path)) return not_found(response);
        const std::size_t cut = wish_.api_prefix.size() - 1;
        if (wish_.filter && !wish_.filter->accepts(request.getMethod(), path.substr(cut), request.getHost()))
            return answer_shortly(response, HTTPResponse::HTTP_FORBIDDEN, "Forbidden");
        pass_on_to_server(request, response, target.substr(cut));
    }

    bool has_prefix(const std::string& path) const { return path.starts_with(wish_.api_prefix); }

    static std::string cleaned(const std::string& path) {
        std::string clean = std::filesystem::path(path).lexically_normal().string();
        while (clean.starts_with("//")) clean.erase(0, 1);
        return clean;
    }

    static void not_found(HTTPServerResponse& response) {
        answer_shortly(response, HTTPResponse::HTTP_NOT_FOUND, "404 page not found");
    }

    void send_file(HTTPServerResponse& response, const std::string& path) const {
        const auto file = read_static_file(wish_.www, path);
        if (!file) return not_found(response);
        response.setContentType(file->type);
        response.sendBuffer(file->content.data(), file->content.size());
    }

    HTTPRequest head_for_server(const HTTPServerRequest& request, const std::string& target) const {
        Server server = server_;
        if (!wish_.appends_server_path) server.base_path.clear();
        HTTPRequest head = make_request(server, {.method = request.getMethod(), .path = target});
        for (const auto& [name, value] : request)
            if (!is_for_one_hop(name) && Poco::icompare(name, "Host") != 0) head.set(name, value);
        if (request.getChunkedTransferEncoding()) head.setChunkedTransferEncoding(true);
        return head;
    }

    void pass_on_to_server(HTTPServerRequest& request, HTTPServerResponse& response,
                           const std::string& target) const {
        const auto session = open_session(server_, std::chrono::milliseconds(0));
        HTTPRequest head = head_for_server(request, target);
        const bool is_upgrade = request.has("Upgrade");
        if (is_upgrade) {
            session->setKeepAlive(true);
            head.set("Connection", "Upgrade");
            head.set("Upgrade", request.get("Upgrade"));
        }
        std::ostream& body = session->sendRequest(head);
        if (request.hasContentLength() || request.getChunkedTransferEncoding())
            Poco::StreamCopier::copyStream(request.stream(), body);
        body.flush();
        HTTPResponse answer;
        std::istream& stream = session->receiveResponse(answer);
        if (is_upgrade && answer.getStatus() == HTTPResponse::HTTP_SWITCHING_PROTOCOLS)
            return join(*session, answer, dynamic_cast<HTTPServerRequestImpl&>(request));
        copy_head(answer, response);
        copy_body(stream, response, request.getMethod() == HTTPRequest::HTTP_HEAD);
    }

    static void copy_head(const HTTPResponse& answer, HTTPServerResponse& response) {
        response.setStatusAndReason(answer.getStatus(), answer.getReason());
        for (const auto& [name, value] : answer)
            if (!is_for_one_hop(name)) response.add(name, value);
        const bool has_body = answer.getStatus() != HTTPResponse::HTTP_NO_CONTENT &&
                              answer.getStatus() != HTTPResponse::HTTP_NOT_MODIFIED;
        if (has_body && !answer.hasContentLength()) response.setChunkedTransferEncoding(true);
    }

    // Each piece leaves as it comes: a watch has no end.
    static void copy_body(std::istream& from, HTTPServerResponse& response, bool is_head) {
        std::ostream& to = response.send();
        to.flush();
        std::vector<char> piece(kPiece);
        while (!is_head && to.good() && from.peek() != std::istream::traits_type::eof()) {
            const std::streamsize count = from.readsome(piece.data(), static_cast<std::streamsize>(kPiece));
            to.write(piece.data(), count).flush();
        }
    }

    // Both connections are bytes from here on.
    static void join(Poco::Net::HTTPClientSession& session, const HTTPResponse& answer,
                     HTTPServerRequestImpl& request) {
        Poco::Buffer<char> early(0);
        session.drainBuffer(early);
        const auto server = make_duplex(session.detachSocket(), {early.begin(), early.size()});
        const auto client = make_duplex(request.detachSocket(), {});
        std::ostringstream head;
        answer.write(head);
        client->queue(head.str());
        (void)relay(*client, *server);
    }

    const Server& server_;
    const ProxyWish& wish_;
};

class Handlers final : public Poco::Net::HTTPRequestHandlerFactory {
  public:
    Handlers(const Server& server, const ProxyWish& wish) : server_(server), wish_(wish) {}
    Poco::Net::HTTPRequestHandler* createRequestHandler(const HTTPServerRequest&) override {
        return new Handler(server_, wish_);
    }

  private:
    const Server& server_;
    const ProxyWish& wish_;
};

// What a file of the socket's name that is in the way is: an older proxy's socket goes, anything else stays.
void remove_socket(const std::string& path) {
    struct stat found {};
    if (::stat(path.c_str(), &found) == 0 && S_ISSOCK(found.st_mode)) ::unlink(path.c_str());
}

std::string in_small(std::string text) {
    if (!text.empty()) text.front() = static_cast<char>(std::tolower(text.front()));
    return text;
}

Result<Poco::Net::ServerSocket> listen(const ProxyWish& wish) {
    using Poco::Net::SocketAddress;
    const bool is_unix = !wish.unix_socket.empty();
    const std::string where =
        is_unix ? "unix " + wish.unix_socket : "tcp " + wish.address + ":" + std::to_string(wish.port);
    Poco::Net::ServerSocket socket;
    try {
        if (is_unix) {
            remove_socket(wish.unix_socket);
            const mode_t before = ::umask(kOnlyOwner);
            socket.bind(SocketAddress(SocketAddress::UNIX_LOCAL, wish.unix_socket));
            ::umask(before);
        } else {
            socket.bind(SocketAddress(wish.address, wish.port), true);
        }
        socket.listen();
        return socket;
    } catch (const Poco::Exception& error) {
        const std::string why =
            error.code() > 0 ? in_small(std::strerror(error.code())) : error.displayText();
        return fail("listen " + where + ": bind: " + why);
    }
}

}  // namespace

Result<void> serve_proxy(const Server& server, const ProxyWish& wish,
                         const std::function<void(const std::string& where)>& on_ready) {
    const auto socket = listen(wish);
    if (!socket) return pass_on(socket);
    Result<void> done;
    const auto served = guarded([&] {
        Poco::ThreadPool pool(2, kMostConnections);
        Poco::Net::HTTPServerParams::Ptr parameters = new Poco::Net::HTTPServerParams;
        parameters->setMaxThreads(kMostConnections);
        parameters->setMaxQueued(kMostConnections);
        Poco::Net::HTTPServer http(new Handlers(server, wish), pool, *socket, parameters);
        http.start();
        on_ready(wish.unix_socket.empty() ? socket->address().toString() : wish.unix_socket);
        // Until the process is told to end.
        Poco::Event().wait();
    });
    if (!served) return fail(served.error().text);
    return done;
}

}  // namespace keelson::cli::streams
