#include "kernel/access/plugin_authenticator.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>

#include "kernel/base/base64.h"
#include "kernel/base/log.h"
#include "kernel/base/openssl.h"
#include "kernel/base/sha256.h"

namespace keelson::access {
namespace {

using base::Reason;
using base::Status;
using base::Task;
using Json = nlohmann::json;
using Answer = Authenticator::Answer;

constexpr base::Duration failure_log_interval = std::chrono::seconds(10);
constexpr std::string_view no_end = "9999-12-31T23:59:59Z";

Status unauthorized(std::string message) {
    return {Reason::unauthorized, std::move(message)};
}

// Each part with its length, so that no two lists of parts give the same text.
base::Sha256Digest digest(std::string_view kind, std::string_view credential,
                          const std::vector<std::string>& audiences) {
    std::string text(kind);
    const auto append = [&text](std::string_view part) {
        text += std::to_string(part.size()) + ":";
        text += part;
    };
    append(credential);
    for (const std::string& audience : audiences) append(audience);
    return base::sha256_of(text);
}

std::string pem_of(std::string_view der) {
    const std::string text = base::base64_encode(der);
    std::string pem = "-----BEGIN CERTIFICATE-----\n";
    for (std::size_t at = 0; at < text.size(); at += 64) pem += text.substr(at, 64) + "\n";
    return pem + "-----END CERTIFICATE-----\n";
}

// In RFC 3339.
std::string end_of(std::string_view der) {
    const auto* bytes = reinterpret_cast<const unsigned char*>(der.data());
    const base::OpensslOwned<X509> certificate(d2i_X509(nullptr, &bytes, static_cast<long>(der.size())));
    std::tm time{};
    if (!certificate || ASN1_TIME_to_tm(X509_get0_notAfter(certificate.get()), &time) != 1)
        return std::string(no_end);
    char text[32];
    const std::size_t size = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &time);
    return {text, size};
}

std::optional<std::vector<std::string>> texts_of(const Json& list) {
    if (!list.is_array()) return std::nullopt;
    std::vector<std::string> texts;
    for (const Json& item : list) {
        if (!item.is_string()) return std::nullopt;
        texts.push_back(item.get<std::string>());
    }
    return texts;
}

// Nothing when it is not what the contract says.
std::optional<Identity> identity_of(const Json& user) {
    if (!user.is_object()) return std::nullopt;
    const Json none;
    const auto member = [&](const char* name) -> const Json& {
        const auto found = user.find(name);
        return found == user.end() ? none : *found;
    };
    const Json& name = member("username");
    const Json& uid = member("uid");
    if (!name.is_string() || name.get_ref<const std::string&>().empty()) return std::nullopt;
    if (!uid.is_null() && !uid.is_string()) return std::nullopt;
    Identity identity{.user = name.get<std::string>(),
                      .uid = uid.is_string() ? uid.get<std::string>() : std::string(),
                      .groups = {},
                      .extra = {}};
    if (const Json& groups = member("groups"); !groups.is_null()) {
        auto texts = texts_of(groups);
        if (!texts) return std::nullopt;
        identity.groups = std::move(*texts);
    }
    const Json& extra = member("extra");
    if (!extra.is_null() && !extra.is_object()) return std::nullopt;
    for (const auto& [key, values] : extra.items()) {
        auto texts = texts_of(values);
        if (!texts) return std::nullopt;
        identity.extra.emplace_back(key, std::move(*texts));
    }
    std::ranges::sort(identity.extra);
    return identity;
}

// Who was not told whom the credential is for takes it as meant for those that were asked about.
std::vector<std::string> accepted_audiences(const Json& reply, const std::vector<std::string>& wanted) {
    const auto found = reply.find("audiences");
    if (found == reply.end()) return wanted;
    const auto had = texts_of(*found);
    if (!had) return {};
    if (had->empty()) return wanted;
    std::vector<std::string> both;
    for (const std::string& audience : wanted) {
        if (std::ranges::find(*had, audience) != had->end()) both.push_back(audience);
    }
    return both;
}

}  // namespace

// One question that is under way, and those who wait for its answer. Whoever asks it holds it; when they give
// up, the others are told.
class PluginAuthenticator::Flight {
  public:
    explicit Flight(std::uint64_t generation) : generation_(generation) {}
    Flight(const Flight&) = delete;
    Flight& operator=(const Flight&) = delete;
    ~Flight() {
        land(Status(Reason::service_unavailable, "the question about this credential was given up"));
    }

    [[nodiscard]] std::uint64_t generation() const { return generation_; }

    [[nodiscard]] base::Completion<Answer> join() {
        const std::lock_guard lock(mutex_);
        base::Completion<Answer> completion;
        if (landed_)
            completion.complete(*landed_);
        else
            waiting_.push_back(completion);
        return completion;
    }

    void land(const Answer& answer) {
        std::vector<base::Completion<Answer>> waiting;
        {
            const std::lock_guard lock(mutex_);
            if (landed_) return;
            landed_ = answer;
            waiting.swap(waiting_);
        }
        for (const auto& completion : waiting) completion.complete(answer);
    }

  private:
    std::mutex mutex_;
    std::uint64_t generation_;
    std::optional<Answer> landed_;
    std::vector<base::Completion<Answer>> waiting_;
};

// Exactly one of the three.
struct PluginAuthenticator::Place {
    std::optional<Answer> known;
    std::optional<base::Completion<Answer>> other;  // somebody else asks already
    std::shared_ptr<Flight> own;
};

// What one plugin thinks.
struct PluginAuthenticator::Opinion {
    enum class Kind : std::uint8_t { knows, refuses, unknown, broken };
    Kind kind = Kind::broken;
    Identity identity;    // knows
    std::string message;  // refuses, broken
    base::Duration keep{};
};

PluginAuthenticator::PluginAuthenticator(PluginSource plugins, const base::Clock& clock,
                                         PluginAuthenticatorSettings settings)
    : plugins_(std::move(plugins)),
      clock_(clock),
      settings_(std::move(settings)),
      cache_(settings_.cache_entries) {}

PluginAuthenticator::Question PluginAuthenticator::question_of(
    const ClientCertificate& certificate, const std::vector<std::string>& audiences) const {
    const std::string_view fingerprint(reinterpret_cast<const char*>(certificate.sha256.data()),
                                       certificate.sha256.size());
    Json document{{"commonName", certificate.common_name},
                  {"organizations", certificate.organizations},
                  {"sha256", base::hexadecimal(certificate.sha256)},
                  {"pem", certificate.der ? pem_of(*certificate.der) : std::string()},
                  {"notAfter", certificate.der ? end_of(*certificate.der) : std::string(no_end)}};
    if (!certificate.uid.empty()) document["uid"] = certificate.uid;
    const Json request{{"certificate", std::move(document)}, {"audiences", audiences}};
    return {.key = digest("certificate", fingerprint, audiences),
            .request = request.dump(-1, ' ', false, Json::error_handler_t::replace),
            .audiences = audiences,
            .maximum_age = settings_.maximum_certificate_age};
}

PluginAuthenticator::Question PluginAuthenticator::question_of(
    const std::string& token, const std::vector<std::string>& audiences) const {
    const Json request{{"token", token}, {"audiences", audiences}};
    return {.key = digest("token", token, audiences),
            .request = request.dump(-1, ' ', false, Json::error_handler_t::replace),
            .audiences = audiences,
            .maximum_age = settings_.maximum_token_age};
}

Task<Answer> PluginAuthenticator::authenticate(const Credentials& credentials) {
    auto finding = find_out(credentials);
    Answer answer = co_await finding;
    if (answer && *answer) note_age(**answer);
    co_return answer;
}

// Kept answers are looked at each time: a token becomes stale while it is kept.
void PluginAuthenticator::note_age(Identity& identity) const {
    const auto found = std::ranges::find(identity.extra, warn_after_extra,
                                         [](const auto& entry) { return std::string_view(entry.first); });
    if (found == identity.extra.end()) return;
    std::int64_t warn_after = 0;
    const std::string text = found->second.empty() ? std::string() : found->second.front();
    std::from_chars(text.data(), text.data() + text.size(), warn_after);
    identity.extra.erase(found);
    const auto now = std::chrono::floor<std::chrono::seconds>(clock_.wall_now().time_since_epoch()).count();
    if (warn_after > 0 && now > warn_after && settings_.stale_token) settings_.stale_token();
}

Task<Answer> PluginAuthenticator::find_out(const Credentials& credentials) {
    const std::vector<std::string>& audiences =
        credentials.audiences.empty() ? settings_.audiences : credentials.audiences;
    std::optional<Status> failure;
    if (credentials.certificate) {
        const ClientCertificate& certificate = *credentials.certificate;
        if (certificate.verified) {
            Question question = question_of(certificate, audiences);
            Answer answer = co_await ask(std::move(question));
            if (answer && *answer) co_return answer;
            if (!answer) failure = answer.error();
        } else {
            failure = unauthorized("verifying certificate " + certificate.common_name +
                                   " failed: " + certificate.verify_error);
        }
    }
    if (!credentials.bearer_token.empty()) {
        Question question = question_of(credentials.bearer_token, audiences);
        Answer answer = co_await ask(std::move(question));
        if (answer && *answer) co_return answer;
        if (!answer) failure = answer.error();
    }
    if (failure) co_return *failure;
    co_return std::optional<Identity>();
}

Task<Answer> PluginAuthenticator::ask(Question question) {
    Place place = take_place(question.key);
    if (place.known) co_return *place.known;
    if (place.other) co_return co_await *place.other;
    Verdict verdict = co_await ask_plugins(question);
    Answer answer = verdict.answer;
    land(place.own, question, verdict);
    co_return answer;
}

PluginAuthenticator::Place PluginAuthenticator::take_place(const base::Sha256Digest& key) {
    const std::lock_guard lock(mutex_);
    if (const Answer* known = cache_.find(key, clock_.now()))
        return {.known = *known, .other = std::nullopt, .own = nullptr};
    std::weak_ptr<Flight>& slot = flights_[key];
    if (const auto flight = slot.lock())
        return {.known = std::nullopt, .other = flight->join(), .own = nullptr};
    auto flight = std::make_shared<Flight>(generation_);
    slot = flight;
    return {.known = std::nullopt, .other = std::nullopt, .own = std::move(flight)};
}

void PluginAuthenticator::land(const std::shared_ptr<Flight>& flight, const Question& question,
                               const Verdict& verdict) {
    {
        const std::lock_guard lock(mutex_);
        const auto found = flights_.find(question.key);
        if (found != flights_.end() && found->second.lock() == flight) flights_.erase(found);
        const base::Duration keep = std::min(verdict.keep, question.maximum_age);
        if (flight->generation() == generation_ && keep > base::Duration::zero())
            cache_.put(question.key, verdict.answer, clock_.now() + keep);
    }
    flight->land(verdict.answer);
}

void PluginAuthenticator::invalidate() {
    const std::lock_guard lock(mutex_);
    ++generation_;
    cache_.clear();
    flights_.clear();
}

Task<PluginAuthenticator::Verdict> PluginAuthenticator::ask_plugins(const Question& question) {
    std::optional<Status> failure;
    base::Duration keep = base::Duration::max();
    const std::vector<std::shared_ptr<plugin::Plugin>> plugins = plugins_();
    for (const auto& plugin : plugins) {
        plugin::CallOptions options;
        options.timeout = settings_.call_timeout;
        auto asking =
            plugin->call(authenticator_capability, "authenticate", question.request, std::move(options));
        auto reply = co_await asking;
        Opinion opinion;
        if (reply)
            opinion = read_reply(reply->body, question);
        else
            opinion.message = reply.error().message();
        using Kind = Opinion::Kind;
        if (opinion.kind == Kind::knows)
            co_return Verdict{std::optional<Identity>(std::move(opinion.identity)), opinion.keep};
        if (opinion.kind == Kind::refuses) {
            Answer refusal = unauthorized(std::move(opinion.message));
            co_return Verdict{std::move(refusal), opinion.keep};
        }
        if (opinion.kind == Kind::broken) {
            failure = unauthorized("authentication plugin " + plugin->name() + ": " + opinion.message);
            report(plugin->name(), *failure);
        }
        keep = std::min(keep, opinion.keep);
    }
    if (failure) co_return Verdict{*failure, base::Duration::zero()};
    co_return Verdict{std::optional<Identity>(), plugins.empty() ? base::Duration::zero() : keep};
}

PluginAuthenticator::Opinion PluginAuthenticator::read_reply(const std::string& body,
                                                             const Question& question) {
    const Json reply = Json::parse(body, nullptr, false);
    const auto broken = [](const char* why) {
        Opinion opinion;
        opinion.message = why;
        return opinion;
    };
    if (!reply.is_object()) return broken("its answer is not a JSON object");
    const auto authenticated = reply.find("authenticated");
    if (authenticated == reply.end() || !authenticated->is_boolean())
        return broken("its answer does not say whether the caller is known");
    Opinion opinion;
    const auto ttl = reply.find("ttlSeconds");
    if (ttl != reply.end() && ttl->is_number_integer())
        opinion.keep = std::chrono::seconds(std::clamp<std::int64_t>(ttl->get<std::int64_t>(), 0, 86'400));
    if (!authenticated->get<bool>()) {
        const auto error = reply.find("error");
        const bool refuses = error != reply.end() && error->is_string() && !error->get<std::string>().empty();
        opinion.kind = refuses ? Opinion::Kind::refuses : Opinion::Kind::unknown;
        if (refuses) opinion.message = error->get<std::string>();
        return opinion;
    }
    const auto user = reply.find("user");
    auto identity = user == reply.end() ? std::nullopt : identity_of(*user);
    if (!identity) return broken("its answer names no user");
    identity->audiences = accepted_audiences(reply, question.audiences);
    if (identity->audiences.empty() && !question.audiences.empty()) {
        opinion.kind = Opinion::Kind::unknown;
        return opinion;
    }
    opinion.kind = Opinion::Kind::knows;
    opinion.identity = std::move(*identity);
    return opinion;
}

// A plugin that is down fails with every request: once in a while is enough.
void PluginAuthenticator::report(const std::string& plugin, const Status& failure) {
    {
        const std::lock_guard lock(mutex_);
        base::MonotonicTime& quiet_until = quiet_until_[plugin];
        if (clock_.now() < quiet_until) return;
        quiet_until = clock_.now() + failure_log_interval;
    }
    base::log_warning("a plugin failed to authenticate a caller", {{"plugin", plugin}, {"error", failure}});
}

}  // namespace keelson::access
