#include "registry_endpoint.h"

#include <algorithm>
#include <thread>

#include "keelson/error.hpp"
#include "registry_authorization.h"

namespace keelson::oci {
namespace {

constexpr int maximum_redirects = 8;
constexpr std::size_t maximum_error_bytes = 65536;
constexpr auto longest_pause = std::chrono::milliseconds(10'000);
constexpr auto look_again_after = std::chrono::milliseconds(20);
constexpr std::size_t maximum_credentials = 32;

bool is_redirect(unsigned status) {
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

bool is_refusal(unsigned status) {
    return status == 401 || status == 403;
}

bool may_pass(unsigned status) {
    return status == 408 || status == 429 || status >= 500;
}

// Docker Hub answers at another name than it is called by.
std::string server_name(const std::string& host) {
    return host == "docker.io" ? "registry-1.docker.io" : host;
}

Url base_of(const StoreSettings& settings, const std::string& host) {
    if (host.find("://") != std::string::npos) return parse_url(host);
    const auto found = settings.registries.find(host);
    const bool is_plain = found != settings.registries.end() && found->second.plain_http;
    return parse_url((is_plain ? "http://" : "https://") + server_name(host));
}

const RegistrySettings* settings_for(const StoreSettings& settings, const std::string& host) {
    const auto found = settings.registries.find(host == "registry-1.docker.io" ? "docker.io" : host);
    return found == settings.registries.end() ? nullptr : &found->second;
}

}  // namespace

void pause_before(int attempt, const StoreSettings& settings, const Interrupt& interrupt) {
    const auto pause = std::min(settings.first_pause * (1 << std::min(attempt - 1, 16)), longest_pause);
    const auto end = std::chrono::steady_clock::now() + pause;
    while (true) {
        interrupt.check();
        const auto left = end - std::chrono::steady_clock::now();
        if (left <= std::chrono::nanoseconds(0)) return;
        std::this_thread::sleep_for(std::min<std::chrono::nanoseconds>(left, look_again_after));
    }
}

RegistryEndpoint::RegistryEndpoint(const StoreSettings& settings, const std::string& host,
                                   std::string repository, std::vector<images::Credentials> credentials,
                                   HttpClient& client, const Interrupt& interrupt)
    : settings_(settings),
      repository_(std::move(repository)),
      credentials_(std::move(credentials)),
      client_(client),
      interrupt_(interrupt),
      base_(base_of(settings, host)),
      name_(base_.authority()) {
    if (const RegistrySettings* own = settings_for(settings, name_))
        credentials_.insert(credentials_.end(), own->credentials.begin(), own->credentials.end());
    if (credentials_.size() > maximum_credentials) credentials_.resize(maximum_credentials);
    credentials_.emplace_back();  // nobody in particular
}

TlsSettings RegistryEndpoint::tls_for(const std::string& host) const {
    const RegistrySettings* own = settings_for(settings_, host);
    return own == nullptr ? TlsSettings{} : TlsSettings{own->skip_verification, own->ca_file};
}

std::string RegistryEndpoint::authorization() const {
    const std::lock_guard lock(mutex_);
    return authorization_;
}

// Whoever else it is sent to must not see who asks.
std::unique_ptr<HttpResponse> RegistryEndpoint::follow(HttpRequest request) {
    for (int count = 0; count < maximum_redirects; ++count) {
        auto response = client_.send(request);
        if (!is_redirect(response->status())) return response;
        const Url next = resolve_url(request.url, response->header("Location"));
        if (request.url.uses_tls && !next.uses_tls)
            throw Error(Code::unavailable, "the registry " + name_ + " redirects from TLS to " + next.text() +
                                               ", which anybody could change");
        if (!next.is_same_server(request.url))
            std::erase_if(request.headers,
                          [](const auto& header) { return header.first == "Authorization"; });
        request.url = next;
        request.tls = tls_for(next.authority());
    }
    throw Error(Code::unavailable, "the registry " + name_ + " redirects in circles");
}

std::unique_ptr<HttpResponse> RegistryEndpoint::send(const HttpRequest& request) {
    std::string reason;
    for (int attempt = 0; attempt < std::max(settings_.attempts, 1); ++attempt) {
        if (attempt > 0) pause_before(attempt, settings_, interrupt_);
        try {
            auto response = follow(request);
            if (!may_pass(response->status())) return response;
            reason = "it answers with " + std::to_string(response->status());
        } catch (const TransportError& error) {
            reason = error.what();
        }
    }
    throw Error(Code::unavailable, "the registry " + name_ + " cannot be reached: " + reason);
}

std::unique_ptr<HttpResponse> RegistryEndpoint::authorized(HttpRequest request) {
    const std::string before = authorization();
    HttpRequest plain = request;
    if (!before.empty()) request.headers.emplace_back("Authorization", before);
    auto response = send(request);
    if (!is_refusal(response->status())) return response;
    std::vector<Challenge> challenges;
    for (const std::string& header : response->headers("WWW-Authenticate"))
        for (Challenge& challenge : parse_challenges(header)) challenges.push_back(std::move(challenge));
    static_cast<void>(response->body(maximum_error_bytes));
    for (const images::Credentials& credentials : credentials_) {
        std::optional<std::string> header;
        try {
            header = authorize(
                challenges, credentials, repository_, plain.url,
                [this](const std::string& host) { return tls_for(host); }, client_);
        } catch (const TransportError& error) {
            throw Error(Code::unavailable,
                        std::string("the registry's token cannot be fetched: ") + error.what());
        }
        if (!header) continue;
        HttpRequest again = plain;
        again.headers.emplace_back("Authorization", *header);
        response = send(again);
        if (is_refusal(response->status())) continue;
        const std::lock_guard lock(mutex_);
        authorization_ = *header;
        return response;
    }
    return response;
}

std::unique_ptr<HttpResponse> RegistryEndpoint::get(const std::string& path, const Headers& headers) {
    HttpRequest request;
    request.url = base_;
    request.url.target = (base_.target == "/" ? "" : base_.target) + "/v2/" + repository_ + path;
    request.tls = tls_for(name_);
    request.headers = headers;
    auto response = authorized(std::move(request));
    const unsigned status = response->status();
    if (status == 200 || status == 206) return response;
    const std::string what = name_ + "/" + repository_ + path;
    if (status == 404) throw Error(Code::not_found, "the registry has no " + what, "image");
    if (is_refusal(status))
        throw Error(Code::forbidden, "the registry wants other credentials for " + what +
                                         ": it does not exist or may not be pulled with those given");
    throw Error(Code::unavailable, "the registry answers with " + std::to_string(status) + " for " + what);
}

}  // namespace keelson::oci
