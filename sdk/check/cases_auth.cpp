// What auth.h promises.
#include <algorithm>

#include "cases.h"
#include "replies.h"

namespace keelson::check {
namespace {

std::vector<std::string> worthless_tokens() {
    return {"",
            "keelson-check-not-a-token",
            "Bearer",
            "null",
            "a.b.c",
            "eyJhbGciOiJub25lIn0.eyJzdWIiOiJzeXN0ZW06YWRtaW4ifQ.",  // a JWT of the algorithm "none"
            std::string(20000, 'A'),
            "../../etc/passwd",
            "' or '1'='1"};
}

void garbage_tokens(Session& session) {
    const auto instance = session.create_started();
    const MethodReference method = session.require(*instance, KEELSON_AUTHENTICATOR, "authenticate");
    for (const std::string& token : worthless_tokens()) {
        const std::string where = "the token \"" + printable(token, 40) + "\"";
        const std::string request =
            R"({"token":")" + token + R"(","audiences":["https://kubernetes.default.svc"]})";
        const Answer answer = instance->call(method, request, {});
        session.expect_none(where, answer_problem(answer));
        if (answer.status != KEELSON_OK) continue;
        const auto authenticated = bool_member(answer, "authenticated");
        if (!authenticated) session.fail(where + ": the reply does not say whether it is \"authenticated\"");
        if (authenticated == true) session.fail(where + " is taken for a user's");
    }
}

void nobody(Session& session) {
    const auto instance = session.create_started();
    const MethodReference method = session.require(*instance, KEELSON_AUTHENTICATOR, "authenticate");
    for (const char* request : {"{}", R"({"token":null})", R"({"certificate":{}})", R"({"audiences":[]})"}) {
        const Answer answer = instance->call(method, request, {});
        session.expect_none(request, answer_problem(answer));
        if (bool_member(answer, "authenticated") == true) {
            session.fail(std::string("a request without a credential is authenticated: ") + request);
        }
    }
}

// The middle one of several, so that a busy machine does not count.
std::chrono::microseconds usual_duration(Transport& instance, const MethodReference& method,
                                         const std::string& request) {
    std::vector<std::chrono::microseconds> durations;
    for (int round = 0; round < 9; ++round) {
        Answer answer = instance.call(method, request, {});
        durations.push_back(answer.duration);
        answer.close_descriptors();
    }
    std::sort(durations.begin(), durations.end());
    return durations[durations.size() / 2];
}

void quick(Session& session) {
    constexpr std::chrono::milliseconds limit{50};
    const auto instance = session.create_started();
    bool has_any = false;
    for (const MethodReference& method : methods_of(*instance)) {
        if (method.capability->is_short == 0) continue;
        has_any = true;
        if (usual_duration(*instance, method, session.sample(method)) > limit) {
            session.fail(method.name() + " takes longer than 50 ms; every request waits for it");
        }
    }
    if (!has_any) Session::skip("it has no methods that requests wait for");
}

void decision(Session& session) {
    const auto instance = session.create_started();
    const MethodReference method = session.require(*instance, KEELSON_AUTHORIZER, "authorize");
    const Answer answer = instance->call(method, session.sample(method), {});
    session.expect_none(method.name(), answer_problem(answer));
    if (answer.status != KEELSON_OK) return;
    if (!bool_member(answer, "allowed")) session.fail("the reply does not say whether it is \"allowed\"");
    if (bool_member(answer, "allowed") == true && bool_member(answer, "denied") == true) {
        session.fail("the reply is both \"allowed\" and \"denied\"");
    }
}

void keys(Session& session) {
    const auto instance = session.create_started();
    const MethodReference method = session.require(*instance, KEELSON_TOKEN_ISSUER, "keys");
    const Answer answer = instance->call(method, "{}", {});
    session.expect_none(method.name(), answer_problem(answer));
    if (answer.status != KEELSON_OK) return session.fail("keys answered " + describe(answer));
    if (!string_member(answer, "issuer")) session.fail("the reply names no issuer");
    if (array_member_size(answer, "keys").value_or(0) == 0) session.fail("the reply has no keys");
}

}  // namespace

std::vector<Case> auth_cases() {
    const std::vector<std::string_view> basics = {"replies.*"};
    return {
        {"auth.garbage-tokens", "Tokens of nobody are not authenticated.", basics, garbage_tokens, false},
        {"auth.no-credential", "A request without a credential is not authenticated.", basics, nobody, false},
        {"auth.quick", "Methods that requests wait for answer within 50 ms.", basics, quick, false},
        {"auth.decision", "authorize says whether something is allowed.", basics, decision, false},
        {"auth.keys", "keys answers an issuer and at least one key.", basics, keys, false},
    };
}

}  // namespace keelson::check
