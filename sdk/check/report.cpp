#include "report.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "replies.h"

namespace keelson::check {
namespace {

using nlohmann::ordered_json;

struct Style {
    const char* word;
    const char* colour;
};

Style style_of(Outcome outcome) {
    switch (outcome) {
        case Outcome::pass:
            return {"pass", "\033[32m"};
        case Outcome::warn:
            return {"warn", "\033[33m"};
        case Outcome::skip:
            return {"skip", "\033[2m"};
        default:
            return {"FAIL", "\033[1;31m"};
    }
}

bool has_colours() {
    static const bool wanted = ::isatty(STDOUT_FILENO) == 1 && std::getenv("NO_COLOR") == nullptr;
    return wanted;
}

std::size_t count(const std::vector<CaseResult>& results, Outcome outcome) {
    std::size_t found = 0;
    for (const CaseResult& result : results) found += result.outcome == outcome ? 1 : 0;
    return found;
}

const char* transport_name(const Options& options) {
    return options.is_isolated ? "keelson-plugin-host" : "in-process";
}

void print_document(const ordered_json& document) {
    std::puts(document.dump(2, ' ', false, ordered_json::error_handler_t::replace).c_str());
}

ordered_json describe_result(const CaseResult& result) {
    std::string word = style_of(result.outcome).word;
    if (result.outcome == Outcome::fail) word = "fail";
    ordered_json shown = {{"id", result.of->id}, {"description", result.of->description}, {"result", word}};
    if (!result.reason.empty()) shown["reason"] = result.reason;
    if (result.outcome == Outcome::fail && !result.output.empty()) shown["output"] = result.output;
    shown["milliseconds"] = result.duration.count();
    return shown;
}

}  // namespace

void print_heading(const Options& options) {
    std::printf("keelson-plugin-check %s, ABI %u to %u, seed %llu, %s\n%s\n\n", KEELSON_CHECK_VERSION,
                KEELSON_ABI_MINIMUM, KEELSON_ABI_MAXIMUM, static_cast<unsigned long long>(options.seed),
                transport_name(options), options.plugin.c_str());
    std::fflush(stdout);
}

void print_result(const CaseResult& result) {
    const Style style = style_of(result.outcome);
    const bool coloured = has_colours();
    std::printf("%s%s%s  %-34s %s\n", coloured ? style.colour : "", style.word, coloured ? "\033[0m" : "",
                std::string(result.of->id).c_str(), std::string(result.of->description).c_str());
    if (!result.reason.empty()) std::printf("      %s\n", result.reason.c_str());
    if (result.outcome == Outcome::fail && !result.output.empty()) {
        std::printf("      it wrote: %s\n", printable(result.output, 600).c_str());
    }
    std::fflush(stdout);
}

void print_summary(const std::vector<CaseResult>& results, const Options& options) {
    const std::size_t failed = count(results, Outcome::fail);
    std::printf("\n%zu cases: %zu passed, %zu failed, %zu warned, %zu skipped\n", results.size(),
                count(results, Outcome::pass), failed, count(results, Outcome::warn),
                count(results, Outcome::skip));
    if (failed > 0) {
        std::printf("the same again: --seed %llu\n", static_cast<unsigned long long>(options.seed));
    }
}

void print_json(const std::vector<CaseResult>& results, const Options& options) {
    ordered_json cases = ordered_json::array();
    for (const CaseResult& result : results) cases.push_back(describe_result(result));
    print_document({{"version", KEELSON_CHECK_VERSION},
                    {"plugin", options.plugin},
                    {"transport", transport_name(options)},
                    {"seed", options.seed},
                    {"cases", std::move(cases)},
                    {"summary",
                     {{"passed", count(results, Outcome::pass)},
                      {"failed", count(results, Outcome::fail)},
                      {"warned", count(results, Outcome::warn)},
                      {"skipped", count(results, Outcome::skip)}}}});
}

void print_cases(const std::vector<const Case*>& cases, bool is_json) {
    ordered_json document = ordered_json::array();
    for (const Case* one : cases) {
        if (is_json) {
            document.push_back({{"id", one->id}, {"description", one->description}});
        } else {
            std::printf("%-34s %s\n", std::string(one->id).c_str(), std::string(one->description).c_str());
        }
    }
    if (is_json) print_document(document);
}

}  // namespace keelson::check
