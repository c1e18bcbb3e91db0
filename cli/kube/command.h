// How commands about Kubernetes objects are made known, found and run.
//
// A file of commands has one class for each, and one function that adds them to the registry; the functions
// are listed in command_groups.h and called from registry.cpp.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/kube/flags.h"
#include "cli/kube/session.h"
#include "cli/result.h"

namespace keelson::cli::kube {

// One use of a command: made, told its flags, run once.
class Command {
  public:
    Command() = default;
    Command(const Command&) = delete;
    Command& operator=(const Command&) = delete;
    virtual ~Command() = default;

    // The targets of the flags are members.
    virtual void add_flags(Flags& flags) = 0;
    virtual Result<void> run(Session& session, const Words& words) = 0;

  protected:
    // "config view", for messages.
    [[nodiscard]] const std::string& path() const { return path_; }
    [[nodiscard]] const Flags& flags() const { return *flags_; }
    // "error: what", and where the help is.
    [[nodiscard]] tl::unexpected<Failure> misused(const std::string& what) const;

  private:
    friend class Registry;
    std::string path_;
    const Flags* flags_ = nullptr;
};

struct CommandEntry {
    std::string path;     // "get", "config view"
    std::string heading;  // in the list of commands; those of a group that is one word need none
    std::string usage;    // what follows the name: "(TYPE NAME | TYPE/NAME) [options]"
    std::string summary;  // one line
    std::string details;  // examples, one a line
    std::function<std::unique_ptr<Command>()> make;  // none: a group such as "config"
    std::string alias_of = {};                       // another path, under which it is known and listed
};

class Registry {
  public:
    void add(CommandEntry entry) { entries_.push_back(std::move(entry)); }
    template <typename Kind>
    void add(std::string path, std::string heading, std::string usage, std::string summary,
             std::string details = "") {
        add({std::move(path), std::move(heading), std::move(usage), std::move(summary), std::move(details),
             [] { return std::make_unique<Kind>(); }});
    }

    // Another path for a command that was added before.
    void add_alias(std::string path, const std::string& of);

    // Whether the line is about one of these commands, or one of their groups.
    [[nodiscard]] bool knows(const std::vector<std::string>& arguments) const;
    // Runs the line.
    [[nodiscard]] Result<void> run(const std::vector<std::string>& arguments) const;

    [[nodiscard]] const std::vector<CommandEntry>& entries() const { return entries_; }
    [[nodiscard]] std::string help_of(const std::string& path) const;
    // All commands under their headings, `others` behind them.
    [[nodiscard]] std::string overview(const std::vector<CommandEntry>& others) const;
    // The first word that is no flag, as far as the flags of all commands tell; empty when there is none.
    [[nodiscard]] static std::string first_word(const std::vector<std::string>& arguments);

  private:
    struct Found;
    [[nodiscard]] Found find(const std::vector<std::string>& arguments) const;
    [[nodiscard]] Result<void> run_group(const Found& found) const;
    [[nodiscard]] Result<void> run_command(const CommandEntry& entry,
                                           const std::vector<std::string>& arguments) const;

    std::vector<CommandEntry> entries_;
};

// All of them.
const Registry& registry();

// Names that are near to the text, such as it may have meant.
std::vector<std::string> near_names(const std::string& text, const std::vector<std::string>& names);
// `unknown command "x" for "keelctl"`, with what is near.
Failure unknown_command(const std::string& text, const std::string& parent,
                        const std::vector<std::string>& names);

}  // namespace keelson::cli::kube
