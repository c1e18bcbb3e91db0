// Starting with configurations that no manifest's schema allows: a plugin may refuse them, but not fall over.
#include "cases.h"
#include "replies.h"

namespace keelson::check {
namespace {

// A new instance each time; one that starts is stopped. Answers whether the configuration was refused.
bool try_configuration(Session& session, const std::string& configuration) {
    const auto instance = session.create();
    const Answer answer = instance->start(configuration);
    session.expect_none("start with " + printable(configuration, 60), answer_problem(answer));
    if (answer.status == KEELSON_OK) (void)instance->stop();
    instance->destroy();
    return answer.status != KEELSON_OK && !answer.has_thrown;
}

void empty(Session& session) {
    (void)try_configuration(session, "{}");
}

void garbage(Session& session) {
    for (const std::string& text : no_objects()) (void)try_configuration(session, text);
}

void wrong_types(Session& session) {
    for (const std::string& text : with_wrong_types(session.options().configuration)) {
        (void)try_configuration(session, text);
    }
}

void huge(Session& session) {
    const std::string megabytes(8u << 20, 'x');
    (void)try_configuration(session, R"({"keelsonCheck":")" + megabytes + "\"}");
    (void)try_configuration(session, nested_arrays(10000));
    (void)try_configuration(session, with_suffixes(session.options().configuration, megabytes));
}

void unknown_members(Session& session) {
    const auto instance = session.create();
    const Answer answer = instance->start(with_unknown_members(session.options().configuration));
    session.expect_none("start", answer_problem(answer));
    if (answer.status != KEELSON_OK) session.warn("start answered " + describe(answer));
}

void again_after_failure(Session& session) {
    bool was_refused = false;
    for (const std::string& text : no_objects()) was_refused |= try_configuration(session, text);
    if (!was_refused) Session::skip("it starts with any configuration");
    session.end(*session.create_started());
}

}  // namespace

std::vector<Case> configuration_cases() {
    return {
        {"configuration.empty",
         "start with {} works or fails with a message.",
         {"lifecycle.stop"},
         empty,
         false},
        {"configuration.garbage",
         "start survives what is no JSON object.",
         {"configuration.empty"},
         garbage,
         false},
        {"configuration.wrong-types",
         "start survives members of the wrong type.",
         {"configuration.empty"},
         wrong_types,
         false},
        {"configuration.huge",
         "start survives megabytes and deep nesting.",
         {"configuration.empty"},
         huge,
         false},
        {"configuration.unknown-members",
         "start ignores members that it does not know.",
         {"configuration.empty"},
         unknown_members,
         false},
        {"configuration.after-failure",
         "After a failed start another instance starts and stops.",
         {"configuration.garbage"},
         again_after_failure,
         false},
    };
}

}  // namespace keelson::check
