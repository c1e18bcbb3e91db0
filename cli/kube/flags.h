// Flags as kubectl reads them, which scripts rely on: "-n x", "-nx", "-n=x", "--namespace=x",
// "--watch=false",
// "--dry-run" with an optional value, flags and words in any order, and everything after "--" left alone.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/result.h"

namespace keelson::cli::kube {

// What is left of a line without its flags.
struct Words {
    std::vector<std::string> words;
    // How many of them stood before "--", when there was one.
    std::optional<std::size_t> before_dash;
};

class Flags {
  public:
    using Set = std::function<Result<void>(const std::string& value)>;
    struct Flag {
        std::string name;    // without "--"
        std::string letter;  // one or none
        std::string type;    // of the value, for help; empty: none is taken
        std::string help;
        std::string when_bare;  // the value when none is given; only with is_bare_allowed
        std::string fallback;   // for help
        bool is_bare_allowed = false;
        bool is_global = false;
        bool is_hidden = false;
        bool was_given = false;
        Set set;
    };

    // Names are "output" or "o,output". Targets hold the default and must live as long as this does.
    Flag& flag(std::string_view names, bool& target, std::string_view help);
    Flag& text(std::string_view names, std::string& target, std::string_view help,
               std::string_view type = "string");
    // Without "=VALUE" it is `when_bare`, and takes no word.
    Flag& optional_text(std::string_view names, std::string& target, std::string_view when_bare,
                        std::string_view help);
    Flag& list(std::string_view names, std::vector<std::string>& target, std::string_view help);  // a,b
    Flag& array(std::string_view names, std::vector<std::string>& target, std::string_view help);
    // a=b,c=d; a value with one "=" is one pair, whatever its commas.
    Flag& pairs(std::string_view names, std::vector<std::pair<std::string, std::string>>& target,
                std::string_view help);
    Flag& number(std::string_view names, std::int64_t& target, std::string_view help);
    // Nanoseconds, of "5s" or "1m30s".
    Flag& duration(std::string_view names, std::int64_t& target, std::string_view help);

    // From here on flags are listed apart, as every command has them.
    void begin_globals() { is_in_globals_ = true; }

    [[nodiscard]] bool was_given(std::string_view name) const;
    [[nodiscard]] const Flag* find(std::string_view name) const;
    [[nodiscard]] const Flag* find_letter(char letter) const;
    [[nodiscard]] const std::deque<Flag>& all() const { return flags_; }

    Result<Words> read(const std::vector<std::string>& arguments);

    // "Options:" and what each is.
    [[nodiscard]] std::string help(bool globals) const;

  private:
    struct Reader;
    Flag& add(std::string_view names, std::string_view type, std::string_view help, Set set);

    std::deque<Flag> flags_;
    bool is_in_globals_ = false;
};

// The kubectl command "wait --timeout" takes "30s", and "--request-timeout" also "30": nanoseconds of either.
Result<std::int64_t> read_duration(const std::string& text, bool may_lack_unit);

}  // namespace keelson::cli::kube
