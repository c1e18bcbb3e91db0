// Requests that no kernel sends: a method may refuse them, but must come back with a valid answer.
#include <algorithm>

#include "cases.h"
#include "replies.h"
#include "schema_requests.h"

namespace keelson::check {
namespace {

using Requests = std::vector<std::string>;

// Stops sending to a slow method when it has used its share of the case's time.
class Share {
  public:
    Share(Session& session, Transport& instance)
        : duration_(session.options().timeout / 2 /
                    static_cast<long>(std::max<std::size_t>(1, methods_of(instance).size()))) {}
    void begin() { until_ = std::chrono::steady_clock::now() + duration_; }
    [[nodiscard]] bool is_left() const { return std::chrono::steady_clock::now() < until_; }

  private:
    std::chrono::milliseconds duration_;
    std::chrono::steady_clock::time_point until_;
};

// Calls every method with what `make` makes of its sample.
template <typename Make>
void try_requests(Session& session, Make make, const CallSetup& setup = {}) {
    const auto instance = session.create_started();
    Share share(session, *instance);
    session.for_each_method(*instance, [&](const MethodReference& method) {
        share.begin();
        for (const std::string& request : make(session.sample(method))) {
            if (!share.is_left()) break;
            Answer answer = instance->call(method, request, setup);
            session.expect_none(method.name() + " with " + printable(request, 60), answer_problem(answer));
            answer.close_descriptors();
        }
    });
}

void garbage(Session& session) {
    try_requests(session, [](const std::string&) { return no_objects(); });
}

void wrong_types(Session& session) {
    try_requests(session, [](const std::string& sample) { return with_wrong_types(sample); });
}

void nested(Session& session) {
    constexpr std::size_t deep = 100;
    constexpr std::size_t very_deep = 100000;
    try_requests(session, [](const std::string&) {
        return Requests{nested_arrays(deep), nested_objects(deep), nested_arrays(very_deep),
                        nested_objects(very_deep)};
    });
}

void long_strings(Session& session) {
    const std::string megabyte(1u << 20, 'x');
    try_requests(session,
                 [&](const std::string& sample) { return Requests{with_suffixes(sample, megabyte)}; });
}

void invalid_utf8(Session& session) {
    try_requests(session, [](const std::string& sample) {
        Requests made;
        // A lone continuation, a cut sequence, an overlong slash, a surrogate, a code point that is too high.
        for (const char* bytes :
             {"\x80", "\xe2\x82", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xff"}) {
            made.push_back(with_suffixes(sample, bytes));
        }
        return made;
    });
}

void embedded_nul(Session& session) {
    try_requests(session, [](const std::string& sample) {
        return Requests{with_suffixes(sample, "\\u0000/after"),
                        with_suffixes(sample, std::string_view("\0/after", 7))};
    });
}

void format_strings(Session& session) {
    try_requests(session, [](const std::string& sample) {
        return Requests{with_suffixes(sample, "%s%s%s%n%99999d"),
                        with_suffixes(sample, "'; $(false) `false` \\\" &")};
    });
}

void unknown_members(Session& session) {
    const auto instance = session.create_started();
    session.for_each_method(*instance, [&](const MethodReference& method) {
        const std::string sample = session.sample(method);
        Answer plain = instance->call(method, sample, {});
        Answer extended = instance->call(method, with_unknown_members(sample), {});
        session.expect_none(method.name(), answer_problem(extended));
        if (plain.status == KEELSON_OK && extended.status != KEELSON_OK) {
            session.fail(method.name() + " answered " + describe(extended) +
                         " because of members that it does not know");
        }
        plain.close_descriptors();
        extended.close_descriptors();
    });
}

void unknown_ids(Session& session) {
    const auto instance = session.create_started();
    bool has_any = false;
    session.for_each_method(*instance, [&](const MethodReference& method) {
        if (!names_something(method)) return;
        has_any = true;
        Answer answer = instance->call(method, session.sample(method), {});
        session.expect_none(method.name(), answer_problem(answer));
        if (answer.status == KEELSON_INTERNAL) {
            session.fail(method.name() + " answered " + describe(answer) +
                         " for something that does not exist; KEELSON_NOT_FOUND says so");
        }
        answer.close_descriptors();
    });
    if (!has_any) Session::skip("none of its methods names something by an id");
}

void expect_quick(Session& session, const CallSetup& setup) {
    constexpr std::chrono::milliseconds limit{3000};
    const auto instance = session.create_started();
    session.for_each_method(*instance, [&](const MethodReference& method) {
        Answer answer = instance->call(method, session.sample(method), setup);
        session.expect_none(method.name(), answer_problem(answer));
        if (answer.duration > limit) session.fail(method.name() + " took longer than three seconds");
        answer.close_descriptors();
    });
}

void of_schema(Session& session) {
    const std::string& directory = session.options().schema_directory;
    if (directory.empty()) Session::skip("there is no --schema");
    const auto instance = session.create_started();
    session.for_each_method(*instance, [&](const MethodReference& method) {
        for (const std::string& request : requests_of_schema(directory, method)) {
            Answer answer = instance->call(method, request, {});
            session.expect_none(method.name() + " with " + printable(request), answer_problem(answer));
            answer.close_descriptors();
        }
    });
}

void expired(Session& session) {
    CallSetup setup;
    setup.deadline_us = 1;
    setup.label = "a deadline that has passed";
    expect_quick(session, setup);
}

void cancelled(Session& session) {
    CallSetup setup;
    setup.is_cancelled = true;
    setup.label = "its caller gone";
    expect_quick(session, setup);
}

void traceparents(Session& session) {
    const auto instance = session.create_started();
    session.for_each_method(*instance, [&](const MethodReference& method) {
        for (const char* text : {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "nonsense",
                                 "\xff\n", "00-00000000000000000000000000000000-0000000000000000-00"}) {
            CallSetup setup;
            setup.traceparent = text;
            setup.label = "the traceparent " + printable(text);
            Answer answer = instance->call(method, session.sample(method), setup);
            session.expect_none(method.name() + " with " + setup.label, answer_problem(answer));
            answer.close_descriptors();
        }
    });
}

// Whatever a parser looks at last, there is nothing behind it.
void cut_short(Session& session) {
    CallSetup setup;
    setup.is_guarded = !session.options().is_isolated;
    try_requests(
        session,
        [](const std::string& sample) {
            Requests made = no_objects();
            for (std::size_t size = 0; size < sample.size(); ++size) made.push_back(sample.substr(0, size));
            return made;
        },
        setup);
}

void fuzz(Session& session) {
    constexpr int rounds = 400;
    const auto instance = session.create_started();
    CallSetup setup;
    setup.is_guarded = !session.options().is_isolated;
    Share share(session, *instance);
    session.for_each_method(*instance, [&](const MethodReference& method) {
        share.begin();
        Random random(session.random()());
        for (int round = 0; round < rounds && share.is_left(); ++round) {
            setup.label = "number " + std::to_string(round) + " of this seed";
            const std::string request = fuzzed_request(method, random);
            Answer answer = instance->call(method, request, setup);
            session.expect_none(method.name() + ", " + setup.label + ", " + printable(request),
                                answer_problem(answer));
            answer.close_descriptors();
        }
    });
}

}  // namespace

std::vector<Case> request_cases() {
    const std::vector<std::string_view> basics = {"replies.*"};
    return {
        {"requests.not-json", "Requests that are no JSON object are survived.", basics, garbage, false},
        {"requests.wrong-types", "Members of every wrong type are survived.", basics, wrong_types, false},
        {"requests.nested", "Requests nested a hundred thousand deep are survived.", basics, nested, false},
        {"requests.long-strings", "Strings of a megabyte are survived.", basics, long_strings, false},
        {"requests.invalid-utf8", "Strings that are not UTF-8 are survived.", basics, invalid_utf8, false},
        {"requests.embedded-nul", "Strings with zero bytes are survived.", basics, embedded_nul, false},
        {"requests.format-strings", "Strings are not taken for formats or commands.", basics, format_strings,
         false},
        {"requests.unknown-members", "Members that the plugin does not know are ignored.", basics,
         unknown_members, false},
        {"requests.schema",
         "Requests with every member of the schema, and with as few as it allows, are answered.", basics,
         of_schema, false},
        {"requests.unknown-ids", "Ids of nothing are not taken for a fault of the plugin.", basics,
         unknown_ids, false},
        {"requests.expired-deadline", "A call whose deadline has passed comes back soon.", basics, expired,
         false},
        {"requests.cancelled", "A call that nobody waits for comes back soon.", basics, cancelled, false},
        {"requests.traceparent", "Any traceparent is survived.", basics, traceparents, false},
        {"requests.cut-short",
         "Nothing is read behind the end of requests that are cut short.",
         {"requests.not-json", "methods.bounds"},
         cut_short,
         false},
        {"requests.fuzz",
         "Requests changed at random are survived; --seed makes the same ones.",
         {"requests.not-json", "requests.wrong-types", "requests.nested", "requests.long-strings",
          "requests.invalid-utf8", "requests.embedded-nul", "requests.format-strings", "requests.cut-short"},
         fuzz,
         false},
    };
}

}  // namespace keelson::check
