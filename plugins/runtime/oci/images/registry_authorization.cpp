#include "registry_authorization.h"

#include <openssl/evp.h>

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>

#include "keelson/error.hpp"

namespace keelson::oci {
namespace {

constexpr std::size_t maximum_token_bytes = std::size_t(1) << 20U;
constexpr std::size_t maximum_challenges = 16;

std::string lower(std::string_view text) {
    std::string result(text);
    std::ranges::transform(result, result.begin(),
                           [](unsigned char letter) { return char(std::tolower(letter)); });
    return result;
}

std::string base64(const std::string& text) {
    std::string encoded(4 * ((text.size() + 2) / 3) + 1, '\0');
    const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(encoded.data()),
                                     reinterpret_cast<const unsigned char*>(text.data()), int(text.size()));
    encoded.resize(std::size_t(size));
    return encoded;
}

bool is_token_letter(char letter) {
    return std::isalnum(static_cast<unsigned char>(letter)) != 0 ||
           std::string_view("!#$%&'*+-.^_`|~").find(letter) != std::string_view::npos;
}

// Reads a WWW-Authenticate header: schemes, each with name=value pairs separated by commas.
class ChallengeReader {
  public:
    explicit ChallengeReader(std::string_view text) : rest_(text) {}

    std::vector<Challenge> run() {
        std::vector<Challenge> challenges;
        while (skip_separators(), !rest_.empty()) {
            const std::string word = token();
            if (word.empty()) break;
            skip_spaces();
            if (!challenges.empty() && rest_.starts_with('=')) {
                rest_.remove_prefix(1);
                skip_spaces();
                challenges.back().parameters[lower(word)] = value();
            } else if (challenges.size() < maximum_challenges) {
                challenges.push_back({lower(word), {}});
            }
        }
        return challenges;
    }

  private:
    void skip_spaces() {
        while (rest_.starts_with(' ') || rest_.starts_with('\t')) rest_.remove_prefix(1);
    }
    void skip_separators() {
        while (rest_.starts_with(' ') || rest_.starts_with('\t') || rest_.starts_with(','))
            rest_.remove_prefix(1);
    }
    std::string token() {
        const auto end = std::ranges::find_if_not(rest_, is_token_letter);
        const auto size = std::size_t(end - rest_.begin());
        std::string word(rest_.substr(0, size));
        rest_.remove_prefix(size);
        return word;
    }
    std::string value() {
        if (!rest_.starts_with('"')) return token();
        rest_.remove_prefix(1);
        std::string text;
        while (!rest_.empty() && rest_.front() != '"') {
            if (rest_.front() == '\\' && rest_.size() > 1) rest_.remove_prefix(1);
            text += rest_.front();
            rest_.remove_prefix(1);
        }
        if (!rest_.empty()) rest_.remove_prefix(1);
        return text;
    }

    std::string_view rest_;
};

std::string basic(const images::Credentials& credentials) {
    return "Basic " + base64(credentials.username + ":" + credentials.password);
}

bool has_password(const images::Credentials& credentials) {
    return !credentials.username.empty();
}

std::string parameter(const Challenge& challenge, const std::string& name, const std::string& otherwise) {
    const auto found = challenge.parameters.find(name);
    return found == challenge.parameters.end() ? otherwise : found->second;
}

// A token for pulling, as the Docker token specification has it: by a form for identity tokens, else by a
// query.
HttpRequest token_request(const Challenge& challenge, const images::Credentials& credentials,
                          const std::string& repository, const Url& refused, const TlsFor& tls_for) {
    HttpRequest request;
    request.url = parse_url(parameter(challenge, "realm", ""));
    if (refused.uses_tls && !request.url.uses_tls)
        throw Error(Code::forbidden, "the registry " + refused.authority() +
                                         " wants its token to be fetched without TLS, which would give the "
                                         "credentials away");
    request.tls = tls_for(request.url.authority());
    const std::string scope = parameter(challenge, "scope", "repository:" + repository + ":pull");
    const std::string service = parameter(challenge, "service", "");
    const std::string query = "service=" + percent_encoded(service) + "&scope=" + percent_encoded(scope);
    if (!credentials.identity_token.empty()) {
        request.form = "grant_type=refresh_token&client_id=keelson&refresh_token=" +
                       percent_encoded(credentials.identity_token) + "&" + query;
        return request;
    }
    request.url.target += (request.url.target.find('?') == std::string::npos ? "?" : "&") + query;
    if (has_password(credentials)) {
        request.url.target += "&account=" + percent_encoded(credentials.username);
        request.headers.emplace_back("Authorization", basic(credentials));
    }
    return request;
}

// A token with a line break in it would add headers of its own.
std::optional<std::string> bearer_header(const std::string& token) {
    const auto is_fit = [](char letter) { return letter > ' ' && letter < '\x7f'; };
    return std::ranges::all_of(token, is_fit) ? std::optional("Bearer " + token) : std::nullopt;
}

std::optional<std::string> bearer(const Challenge& challenge, const images::Credentials& credentials,
                                  const std::string& repository, const Url& refused, const TlsFor& tls_for,
                                  HttpClient& client) {
    const auto response = client.send(token_request(challenge, credentials, repository, refused, tls_for));
    if (response->status() >= 500 || response->status() == 429)
        throw TransportError("the token service of " + refused.authority() + " answers with " +
                             std::to_string(response->status()));
    const auto bytes = response->body(maximum_token_bytes);
    if (response->status() != 200 || !bytes) return std::nullopt;
    const auto json = nlohmann::json::parse(*bytes, nullptr, false);
    if (!json.is_object()) return std::nullopt;
    for (const char* name : {"token", "access_token"}) {
        const auto found = json.find(name);
        if (found != json.end() && found->is_string() && !found->get<std::string>().empty())
            return bearer_header(found->get<std::string>());
    }
    return std::nullopt;
}

}  // namespace

std::vector<Challenge> parse_challenges(const std::string& header) {
    return ChallengeReader(header).run();
}

std::optional<std::string> authorize(const std::vector<Challenge>& challenges,
                                     const images::Credentials& credentials, const std::string& repository,
                                     const Url& refused, const TlsFor& tls_for, HttpClient& client) {
    if (!credentials.registry_token.empty()) return bearer_header(credentials.registry_token);
    for (const Challenge& challenge : challenges)
        if (challenge.scheme == "bearer")
            return bearer(challenge, credentials, repository, refused, tls_for, client);
    for (const Challenge& challenge : challenges)
        if (challenge.scheme == "basic" && has_password(credentials)) return basic(credentials);
    return std::nullopt;
}

}  // namespace keelson::oci
