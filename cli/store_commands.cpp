#include <unistd.h>

#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/output.h"

namespace keelson::cli {
namespace {

Result<Answer> ask_rollback(const Server& server, std::uint64_t revision, const std::string& prefix,
                            bool is_dry) {
    const Json body{{"revision", revision}, {"prefix", prefix}, {"dryRun", is_dry}};
    return call(server, {.method = "POST", .path = "/v1/store/rollback", .body = body.dump()});
}

void print_preview(const Json& preview) {
    print("back to revision " + text_of(preview, "revision") + " from " +
          text_of(preview, "currentRevision") + ": " + text_of(preview, "created") + " keys created, " +
          text_of(preview, "updated") + " updated, " + text_of(preview, "removed") + " removed\n");
    const auto changes = preview.find("changes");
    if (changes == preview.end() || !changes->is_array()) return;
    std::vector<Row> rows;
    for (const Json& change : *changes)
        rows.push_back({{"  " + text_of(change, "change")}, {text_of(change, "key")}});
    print_table(rows);
    if (text_of(preview, "truncated") == "true") print("  and more\n");
}

bool changes_nothing(const Json& preview) {
    return text_of(preview, "created") == "0" && text_of(preview, "updated") == "0" &&
           text_of(preview, "removed") == "0";
}

// The question goes to standard error, so that the output can be read by programs.
Result<void> ask_user(const Settings& settings) {
    // Whoever reads a document decides with another line.
    if (settings.wants_document() || ::isatty(STDIN_FILENO) != 1)
        return fail("nothing was changed: to do this, say --yes");
    std::fflush(stdout);
    std::fputs("Do this? [y/N] ", stderr);
    std::string line;
    std::getline(std::cin, line);
    if (line == "y" || line == "Y" || line == "yes") return {};
    return fail("nothing was changed");
}

Result<void> do_rollback(const Settings& settings, const Server& server, std::uint64_t revision,
                         const std::string& prefix) {
    const auto answer = ask_rollback(server, revision, prefix, false);
    if (!answer) return tl::unexpected(answer.error());
    const auto document = parse_answer(answer->body);
    if (!document) return tl::unexpected(document.error());
    if (settings.wants_document())
        print_document(answer->body, settings.format);
    else
        print("done; the store is at revision " + text_of(*document, "currentRevision") + " now\n");
    return {};
}

}  // namespace

Result<void> show_store(const Settings& settings) {
    auto server = find_server(settings.server);
    if (!server) return tl::unexpected(server.error());
    const auto answer = call(*server, {.path = "/v1/store"});
    if (!answer) return tl::unexpected(answer.error());
    const auto document = parse_answer(answer->body);
    if (!document) return tl::unexpected(document.error());
    if (settings.wants_document()) {
        print_document(answer->body, settings.format);
        return {};
    }
    std::vector<Row> rows;
    for (const auto& [name, value] : document->items())
        if (!value.is_object()) rows.push_back({{name + ":"}, {text_of(*document, name)}});
    if (const auto staged = document->find("stagedRestore"); staged != document->end() && staged->is_object())
        rows.push_back({{"stagedRestore:"},
                        {text_of(*staged, "bytes") + " bytes, SHA-256 " + text_of(*staged, "sha256") +
                             "; takes the store's place at the next start",
                         Colour::warning}});
    print_table(rows);
    return {};
}

Result<void> roll_back(const Settings& settings, std::uint64_t revision, const std::string& prefix,
                       bool is_agreed) {
    auto server = find_server(settings.server);
    if (!server) return tl::unexpected(server.error());
    const auto answer = ask_rollback(*server, revision, prefix, true);
    if (!answer) return tl::unexpected(answer.error());
    const auto preview = parse_answer(answer->body);
    if (!preview) return tl::unexpected(preview.error());
    // One document only: of what was done when it is done.
    if (!settings.wants_document())
        print_preview(*preview);
    else if (!is_agreed || changes_nothing(*preview))
        print_document(answer->body, settings.format);
    if (changes_nothing(*preview)) return {};
    if (!is_agreed) {
        if (auto agreed = ask_user(settings); !agreed) return agreed;
    }
    return do_rollback(settings, *server, revision, prefix);
}

}  // namespace keelson::cli
