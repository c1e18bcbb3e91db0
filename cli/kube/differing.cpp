#include "cli/kube/differing.h"

#include <algorithm>
#include <cstdlib>

#include "cli/kube/failures.h"
#include "kernel/base/files.h"

namespace keelson::cli::kube {
namespace {

Result<void> write(const std::string& directory, const std::string& name, const Object& object) {
    if (object.is_null()) return {};
    const auto written = base::write_file_atomic(directory + "/" + name, yaml_of(object));
    if (!written) return fail(written.error().message());
    return {};
}

void hide_values(Object& before, Object& after) {
    for (const char* part : {"data", "stringData"}) {
        const Object old = member(before, part);
        const Object now = member(after, part);
        if (old.is_object())
            for (const auto& [name, value] : old.items())
                before[part][name] = member(now, name) == value ? "***" : "*** (before)";
        if (now.is_object())
            for (const auto& [name, value] : now.items())
                after[part][name] = member(old, name) == value ? "***" : "*** (after)";
    }
}

}  // namespace

Result<Difference> Difference::make() {
    auto before = TemporaryDirectory::make("LIVE-");
    if (!before) return pass_on(before);
    auto after = TemporaryDirectory::make("MERGED-");
    if (!after) return pass_on(after);
    return Difference(std::move(*before), std::move(*after));
}

Result<void> Difference::add(const std::string& name, Object before, Object after) {
    if (text_at(after.is_null() ? before : after, "kind") == "Secret") hide_values(before, after);
    const Object& there = after.is_null() ? before : after;
    Object document = {{"apiVersion", text_at(there, "apiVersion")},
                       {"kind", text_at(there, "kind")},
                       {"name", name_of(there)},
                       {"changes", Object::diff(before, after)}};
    if (!namespace_of(there).empty()) document["namespace"] = namespace_of(there);
    documents_.push_back(std::move(document));
    if (auto done = write(before_.path(), name, before); !done) return done;
    return write(after_.path(), name, after);
}

bool Difference::has_changes() const {
    return std::any_of(documents_.begin(), documents_.end(),
                       [](const Object& document) { return !member(document, "changes").empty(); });
}

Result<void> Difference::show() {
    const char* wanted = std::getenv("KUBECTL_EXTERNAL_DIFF");
    std::vector<std::string> words = split_words(wanted == nullptr ? "" : wanted);
    if (words.empty()) words = {"diff", "-u", "-N"};
    words.push_back(before_.path());
    words.push_back(after_.path());
    const auto ended = run_program({.words = words});
    if (!ended)
        return fail("failed to run \"" + words.front() + "\": " + ended.error().message, exit_failure + 1);
    if (ended->code == 0) return {};
    return tl::unexpected(silent(ended->code));
}

}  // namespace keelson::cli::kube
