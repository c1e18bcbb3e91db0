#include "cli/kube/editing.h"

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "cli/kube/manifests.h"
#include "cli/process.h"
#include "kernel/base/files.h"

namespace keelson::cli::kube {
namespace {

// An editor that is a script might never come to an end.
constexpr int kMostTries = 50;
constexpr std::size_t kLongestFile = 64u << 20;

std::vector<std::string> editor_words() {
    for (const char* name : {"KUBE_EDITOR", "EDITOR"})
        if (const char* editor = std::getenv(name); editor != nullptr && *editor != '\0')
            return split_words(editor);
    return {"vi"};
}

std::string as_comment(const std::string& text) {
    std::string comment;
    std::size_t begin = 0;
    while (begin < text.size()) {
        const std::size_t end = std::min(text.find('\n', begin), text.size());
        comment += "# " + text.substr(begin, end - begin) + "\n";
        begin = end + 1;
    }
    return comment;
}

// The lines that begin with '#' at the top are not the user's.
std::string without_comments(const std::string& text) {
    std::string rest;
    std::size_t begin = 0;
    while (begin < text.size()) {
        const std::size_t end = std::min(text.find('\n', begin), text.size());
        if (text[begin] != '#') rest += text.substr(begin, end + 1 - begin);
        begin = end + 1;
    }
    return rest;
}

std::string heading(const std::string& problem) {
    std::string text =
        "# Edit the object below. Lines that begin with '#' are left out, and an empty file\n"
        "# ends the edit. What the server does not take is shown here again with the reason.\n#\n";
    if (!problem.empty()) text += as_comment(problem) + "#\n";
    return text;
}

Result<std::string> let_edit(const std::string& file, const std::string& text) {
    if (const auto written = base::write_file_atomic(file, text); !written)
        return fail(written.error().message());
    std::vector<std::string> words = editor_words();
    words.push_back(file);
    const auto ended = run_program({.words = words});
    if (!ended)
        return fail("unable to launch the editor: " + ended.error().message + "; name one with KUBE_EDITOR");
    if (ended->code != 0)
        return fail("there was a problem with the editor \"" + words.front() + "\": exit code " +
                    std::to_string(ended->code));
    auto edited = base::read_file(file, kLongestFile);
    if (!edited) return fail(edited.error().message());
    return std::move(*edited);
}

void keep(TemporaryDirectory& directory, const std::string& file) {
    warn("A copy of your changes has been stored to \"" + file + "\"");
    directory.keep();
}

Result<void> give_up(const std::string& why) {
    warn(why);
    return {};
}

}  // namespace

Result<void> edit_text(const std::string& original, const std::string& extension, const SaveText& save) {
    auto directory = TemporaryDirectory::make("keelctl-edit-");
    if (!directory) return pass_on(directory);
    const std::string file = directory->path() + "/edit." + extension;
    std::string text = original;
    std::string problem;
    for (int tries = 0; tries < kMostTries; ++tries) {
        const auto edited = let_edit(file, heading(problem) + text);
        if (!edited) return pass_on(edited);
        const std::string content = without_comments(*edited);
        if (content.find_first_not_of(" \t\r\n") == std::string::npos)
            return give_up("Edit cancelled, saved file was empty.");
        if (content == original) return give_up("Edit cancelled, no changes made.");
        if (!problem.empty() && content == text) {
            warn(problem);
            keep(*directory, file);
            return fail("Edit cancelled, no valid changes were saved.");
        }
        text = content;
        auto done = save(text);
        if (!done && done.error().refusal == nullptr && !done.error().is_whole) {
            problem = done.error().message;
        } else if (!done &&
                   (is_refused_as(done.error(), "Invalid") || is_refused_as(done.error(), "BadRequest"))) {
            problem = done.error().message;
        } else {
            if (!done) keep(*directory, file);
            return done;
        }
    }
    return fail("Edit cancelled, no valid changes were saved: " + problem);
}

Result<void> check_edit_format(const PrintFlags& print) {
    if (print.output.empty() || print.output == "json" || print.output == "yaml") return {};
    return fail("unable to match a printer suitable for the output format \"" + print.output +
                "\", allowed formats are: json,yaml");
}

Result<Object> object_of_edit(const std::string& text, const std::string& kind, const std::string& name) {
    auto documents = read_documents(text, "the edited file");
    if (!documents) return pass_on(documents);
    if (documents->size() != 1 || !documents->front().is_object())
        return fail("the edited file must hold one object");
    if (name_of(documents->front()) != name || text_at(documents->front(), "kind") != kind)
        return fail("kind and name of the object must stay as they are");
    return std::move(documents->front());
}

}  // namespace keelson::cli::kube
