#include "images_server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <chrono>
#include <nlohmann/json.hpp>

#include "digest.h"
#include "documents.h"
#include "images_fixture.h"

namespace keelson::oci {
namespace {

sockaddr_in loopback(int port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(std::uint16_t(port));
    return address;
}

Descriptor listen_on(int& port) {
    Descriptor listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address = loopback(0);
    ::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof address);
    ::listen(listener.get(), 64);
    socklen_t size = sizeof address;
    ::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size);
    port = ntohs(address.sin_port);
    return listener;
}

bool can_connect(int port) {
    const Descriptor probe(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address = loopback(port);
    return ::connect(probe.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
}

void send_all(int connection, const std::string& bytes) {
    for (std::size_t at = 0; at < bytes.size();) {
        const ssize_t sent = ::send(connection, bytes.data() + at, bytes.size() - at, MSG_NOSIGNAL);
        if (sent <= 0) return;
        at += std::size_t(sent);
    }
}

}  // namespace

std::string ServerRequest::header(const std::string& name) const {
    std::string lower = head;
    std::ranges::transform(lower, lower.begin(),
                           [](unsigned char letter) { return char(std::tolower(letter)); });
    const std::size_t at = lower.find("\r\n" + name + ": ");
    if (at == std::string::npos) return {};
    const std::size_t start = at + name.size() + 4;
    return head.substr(start, head.find("\r\n", start) - start);
}

Server::Server(Handler handler)
    : handler_(std::move(handler)), listener_(listen_on(port_)), acceptor_([this] { accept_all(); }) {}

Server::~Server() {
    is_stopping_ = true;
    ::shutdown(listener_.get(), SHUT_RDWR);
    acceptor_.join();
    for (std::thread& thread : threads_) thread.join();
}

std::vector<std::string> Server::requests() const {
    const std::lock_guard lock(mutex_);
    return requests_;
}

void Server::accept_all() {
    while (!is_stopping_) {
        const int connection = ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC);
        if (connection >= 0) threads_.emplace_back([this, connection] { serve(connection); });
    }
}

void Server::serve(int number) {
    const Descriptor connection(number);
    std::string bytes;
    std::array<char, 4096> piece{};
    const auto read_more = [&] {
        pollfd waiting = {number, POLLIN, 0};
        while (::poll(&waiting, 1, 20) == 0)
            if (is_stopping_) return false;
        const ssize_t got = ::recv(number, piece.data(), piece.size(), 0);
        if (got > 0) bytes.append(piece.data(), std::size_t(got));
        return got > 0;
    };
    while (bytes.find("\r\n\r\n") == std::string::npos)
        if (!read_more()) return;
    ServerRequest request;
    request.head = bytes.substr(0, bytes.find("\r\n\r\n") + 2);
    const std::string length = request.header("content-length");
    const std::size_t whole = request.head.size() + 2 + (length.empty() ? 0 : std::stoul(length));
    while (bytes.size() < whole)
        if (!read_more()) return;
    request.body = bytes.substr(request.head.size() + 2);
    const std::size_t space = request.head.find(' ');
    request.method = request.head.substr(0, space);
    request.target = request.head.substr(space + 1, request.head.find(' ', space + 1) - space - 1);
    {
        const std::lock_guard lock(mutex_);
        requests_.push_back(request.method + " " + request.target);
    }
    const ServerResponse response = handler_(request);
    std::string head = "HTTP/1.1 " + std::to_string(response.status) +
                       " x\r\nConnection: close\r\nContent-Length: " + std::to_string(response.body.size()) +
                       "\r\n";
    for (const std::string& header : response.headers) head += header + "\r\n";
    if (!response.hangs || response.cut_after != std::string::npos)
        send_all(number, head + "\r\n" + response.body.substr(0, response.cut_after));
    while (response.hangs && read_more()) {
    }
}

FakeImage::FakeImage(const std::vector<std::string>& layers, const std::string& architecture) {
    nlohmann::json config = nlohmann::json::parse(config_of(layers));
    config["architecture"] = architecture;
    const std::string config_bytes = config.dump();
    nlohmann::json json = {{"schemaVersion", 2},
                           {"config", {{"digest", digest_of(config_bytes)}, {"size", config_bytes.size()}}},
                           {"layers", nlohmann::json::array()}};
    blobs[digest_of(config_bytes)] = config_bytes;
    for (const std::string& layer : layers) {
        const std::string packed = gzip(layer);
        layer_digests.push_back(digest_of(packed));
        blobs[layer_digests.back()] = packed;
        json["layers"].push_back({{"digest", layer_digests.back()}, {"size", packed.size()}});
    }
    manifest = json.dump();
    manifests["1"] = manifests[digest_of(manifest)] = manifest;
}

void FakeImage::put_index(const std::vector<const FakeImage*>& images) {
    nlohmann::json list = nlohmann::json::array();
    const char* architectures[] = {"nonesuch", "", "other"};
    for (std::size_t index = 0; index < images.size(); ++index) {
        const std::string name = architectures[index];
        list.push_back(
            {{"digest", digest_of(images[index]->manifest)},
             {"size", images[index]->manifest.size()},
             {"platform",
              {{"os", "linux"}, {"architecture", name.empty() ? this_platform().architecture : name}}}});
        manifests[digest_of(images[index]->manifest)] = images[index]->manifest;
    }
    manifests["1"] = nlohmann::json({{"schemaVersion", 2}, {"manifests", list}}).dump();
}

ServerResponse FakeImage::answer(const ServerRequest& request) const {
    const std::string version = request.target.substr(request.target.rfind('/') + 1);
    const auto& from = request.target.find("/manifests/") != std::string::npos ? manifests : blobs;
    const auto found = from.find(version);
    if (found == from.end()) return {.status = 404};
    const std::string range = request.header("range");
    if (range.empty()) return {.body = found->second};
    const std::size_t offset = std::stoul(range.substr(range.find('=') + 1));
    return {
        .status = 206,
        .body = found->second.substr(offset),
        .headers = {"Content-Range: bytes " + std::to_string(offset) + "-" +
                    std::to_string(found->second.size() - 1) + "/" + std::to_string(found->second.size())}};
}

RealRegistry::RealRegistry(const std::string& folder, const std::string& more, const std::string& more_http) {
    static_cast<void>(listen_on(port_));
    write_text(folder + "/registry.yml",
               "version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\nstorage:\n  filesystem:\n    "
               "rootdirectory: " +
                   folder + "/registry\nhttp:\n  addr: " + host() + "\n" + more_http + more);
    const std::string config = folder + "/registry.yml";
    const char* arguments[] = {"docker-registry", "serve", config.c_str(), nullptr};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 2, (folder + "/registry.log").c_str(), O_WRONLY | O_CREAT,
                                     0600);
    if (::posix_spawnp(&process_, arguments[0], &actions, nullptr, const_cast<char**>(arguments), environ) !=
        0)
        process_ = -1;
    posix_spawn_file_actions_destroy(&actions);
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (process_ > 0 && !(is_up_ = can_connect(port_)) && std::chrono::steady_clock::now() < deadline) {
        if (::waitpid(process_, nullptr, WNOHANG) == process_) process_ = -1;
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
}

RealRegistry::~RealRegistry() {
    if (process_ <= 0) return;
    ::kill(process_, SIGKILL);
    ::waitpid(process_, nullptr, 0);
}

}  // namespace keelson::oci
