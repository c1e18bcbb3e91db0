// keelctl completion: scripts for shells, and what they ask keelctl for.
#include <algorithm>

#include "cli/kube/command.h"
#include "cli/kube/command_groups.h"
#include "cli/kube/resources.h"
#include "cli/output.h"

namespace keelson::cli::kube {
namespace {

// clang-format off
constexpr const char* kBash = R"SHELL(# bash completion for keelctl: source <(keelctl completion bash)
_keelctl() {
    local IFS=$'\n' current=${COMP_WORDS[COMP_CWORD]}
    COMPREPLY=($(compgen -W "$(keelctl __complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)" -- "$current"))
    [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == */ ]] && compopt -o nospace
}
complete -F _keelctl -o default keelctl
)SHELL";
// clang-format on

constexpr const char* kZsh = R"SHELL(#compdef keelctl
# zsh completion for keelctl: source <(keelctl completion zsh)
_keelctl() {
    local -a found
    found=("${(@f)$(keelctl __complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    (( ${#found} )) && compadd -- $found || _files
}
compdef _keelctl keelctl
)SHELL";

constexpr const char* kFish = R"SHELL(# fish completion for keelctl: keelctl completion fish | source
function __keelctl_complete
    set -l words (commandline -opc) (commandline -ct)
    keelctl __complete -- $words[2..-1] 2>/dev/null
end
complete -c keelctl -f -a '(__keelctl_complete)'
)SHELL";

class Completion : public Command {
  public:
    void add_flags(Flags& /*flags*/) override {}
    Result<void> run(Session& /*session*/, const Words& words) override {
        if (words.words.empty()) return misused("Shell not specified.");
        const std::string& shell = words.words.front();
        if (shell == "bash") return say(kBash);
        if (shell == "zsh") return say(kZsh);
        if (shell == "fish") return say(kFish);
        return misused("Unsupported shell type \"" + shell + "\": there is bash, zsh and fish.");
    }

  private:
    static Result<void> say(const char* text) {
        print(text);
        return {};
    }
};

// Prints what may stand in the place of the last word, one a line. Says nothing of what goes wrong.
class Complete : public Command {
  public:
    void add_flags(Flags& /*flags*/) override {}

    Result<void> run(Session& session, const Words& words) override {
        std::vector<std::string> line = words.words;
        const std::string current = line.empty() ? "" : line.back();
        if (!line.empty()) line.pop_back();
        const std::size_t known = length_of_path(line);
        if (current.starts_with("-")) {
            offer_flags(line, known);
        } else if (known == line.size() && offer_commands(line)) {
            return {};
        } else {
            offer_objects(session, {line.begin() + static_cast<long>(known), line.end()}, current);
        }
        return {};
    }

  private:
    static std::string joined(const std::vector<std::string>& line, std::size_t count) {
        std::string path;
        for (std::size_t i = 0; i < count; ++i) path += (path.empty() ? "" : " ") + line[i];
        return path;
    }

    static const CommandEntry* entry_of(const std::string& path) {
        for (const CommandEntry& entry : registry().entries())
            if (entry.path == path) return &entry;
        return nullptr;
    }

    static std::size_t length_of_path(const std::vector<std::string>& line) {
        std::size_t known = 0;
        while (known < line.size() && entry_of(joined(line, known + 1)) != nullptr) ++known;
        return known;
    }

    static bool offer_commands(const std::vector<std::string>& line) {
        const std::string path = joined(line, line.size());
        bool has_any = false;
        for (const CommandEntry& entry : registry().entries()) {
            if (entry.path.starts_with("__")) continue;
            if (!path.empty() && !entry.path.starts_with(path + " ")) continue;
            const std::string rest = path.empty() ? entry.path : entry.path.substr(path.size() + 1);
            if (rest.find(' ') != std::string::npos) continue;
            print(rest + "\n");
            has_any = true;
        }
        return has_any;
    }

    static void offer_flags(const std::vector<std::string>& line, std::size_t known) {
        const CommandEntry* entry = entry_of(joined(line, known));
        Flags flags;
        Globals globals;
        std::unique_ptr<Command> command;
        if (entry != nullptr && entry->make) {
            command = entry->make();
            command->add_flags(flags);
        }
        add_global_flags(flags, globals);
        for (const Flags::Flag& flag : flags.all())
            if (!flag.is_hidden) print("--" + flag.name + "\n");
    }

    // Types first, then the names of a type's objects; "TYPE/NAME" too.
    static void offer_objects(Session& session, const std::vector<std::string>& words,
                              const std::string& current) {
        std::vector<std::string> plain;
        for (const std::string& word : words)
            if (!word.starts_with("-")) plain.push_back(word);
        const std::size_t slash = current.find('/');
        if (slash != std::string::npos)
            offer_names(session, current.substr(0, slash), current.substr(0, slash + 1));
        else if (!plain.empty())
            offer_names(session, plain.front(), "");
        else
            offer_types(session);
    }

    static void offer_types(Session& session) {
        const auto types = session.discovery();
        if (!types) return;
        for (const Resource& one : (*types)->all())
            if ((*types)->is_preferred(one) && one.can("list")) print(one.type_text() + "\n");
    }

    static void offer_names(Session& session, const std::string& type, const std::string& prefix) {
        const auto types = session.discovery();
        const auto name = session.namespace_name();
        const auto api = session.api();
        if (!types || !name || !api) return;
        const auto resource = (*types)->find_type(type);
        if (!resource) return;
        const auto items = list_items(**api, {*resource, *name}, nullptr);
        if (!items) return;
        for (const Item& item : *items) print(prefix + item.name + "\n");
    }
};

}  // namespace

void add_completion_commands(Registry& registry) {
    registry.add<Completion>("completion", "Settings Commands", "SHELL",
                             "Print what makes a shell complete keelctl's words: bash, zsh, fish",
                             "  source <(keelctl completion bash)\n  keelctl completion fish | source");
    registry.add<Complete>("__complete", "", "-- WORD...", "What may stand in the place of the last word");
}

}  // namespace keelson::cli::kube
