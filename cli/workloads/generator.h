// What commands share that make an object from flags: "create KIND", run, expose, autoscale.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/kube/command.h"
#include "cli/kube/printing.h"
#include "cli/kube/writing.h"

namespace keelson::cli::kube {

class Generator : public Command {
  public:
    void add_flags(Flags& flags) final;
    Result<void> run(Session& session, const Words& words) final;

  protected:
    virtual void add_own_flags(Flags& flags) = 0;
    virtual Result<Object> make(Session& session, const Words& words) = 0;
    // "created"
    [[nodiscard]] virtual std::string done() const { return "created"; }

    [[nodiscard]] bool is_given(std::string_view flag) const { return flags().was_given(flag); }
    [[nodiscard]] Result<void> require(std::initializer_list<std::string_view> flags) const;

    PrintFlags print_;
    WriteFlags write_;

  private:
    bool saves_config_ = false;
};

// A command whose one word is the object's name.
class NamedGenerator : public Generator {
  protected:
    virtual Result<Object> make_named(Session& session, const std::string& name) = 0;

  private:
    Result<Object> make(Session& session, const Words& words) final;
};

// An object with what all have. Its namespace is added when it is sent.
Object new_object(const std::string& api_version, const std::string& kind, const std::string& name);
// Of the kinds that are generated here.
const Resource& resource_of(const Object& object);
// Creates the object unless the run is dry, and tells of it.
Result<void> create_and_tell(Session& session, Object object, const WriteFlags& write,
                             const PrintFlags& print, const std::string& done);

// "k=v,k2=v2" as a map; fails for what is neither.
Result<Object> read_pairs(const std::string& text, const std::string& what);
std::vector<std::string> split_text(std::string_view text, char separator);
// A number or a text, as ports and counts may be either.
Object number_or_text(const std::string& text);
// The name of a container for an image.
std::string container_name_of(const std::string& image);

}  // namespace keelson::cli::kube
