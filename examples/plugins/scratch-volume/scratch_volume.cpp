// A directory of the plugin's own for each volume, shown to pods by a bind mount. Needs SYS_ADMIN.
#include <sys/mount.h>

#include <cerrno>
#include <filesystem>
#include <keelson/volume.hpp>

namespace fs = std::filesystem;
namespace volume = keelson::volume;

class ScratchVolume : public keelson::VolumePlugin {
  public:
    explicit ScratchVolume(keelson::Host host) : root_(fs::path(host.state_directory()) / "volumes") {
        fs::create_directories(root_);
    }

    volume::Created create(const volume::Create& request) {
        fs::create_directory(home(request.name, "name"));
        return {request.name, request.capacity_bytes, {{"version", SCRATCH_VOLUME_VERSION}}, {}};
    }

    void remove(const volume::Remove& request) { fs::remove_all(home(request.volume_id, "volumeId")); }

    void publish(const volume::Publish& request) {
        const fs::path source = home(request.volume_id, "volumeId");
        if (!fs::exists(source)) throw keelson::Error(keelson::Code::not_found, "no such volume", "volumeId");
        fs::create_directory(request.path);
        if (!fs::equivalent(source, request.path)) mount(source.c_str(), request.path, MS_BIND);
        if (request.read_only) mount("", request.path, MS_BIND | MS_REMOUNT | MS_RDONLY);
    }

    void unpublish(const volume::Unpublish& request) {
        const bool gone = ::umount2(request.path.c_str(), UMOUNT_NOFOLLOW) == 0;
        check(gone || errno == EINVAL || errno == ENOENT, "cannot unmount " + request.path);
        fs::remove(request.path);
    }

  private:
    fs::path home(const std::string& id, const char* field) const {
        const bool plain = !id.empty() && id.front() != '.' && id.find('/') == std::string::npos;
        if (!plain) throw keelson::Error(keelson::Code::invalid, "must be one plain file name", field);
        return root_ / id;
    }
    static void mount(const char* source, const std::string& path, unsigned long flags) {
        check(::mount(source, path.c_str(), nullptr, flags, nullptr) == 0, "cannot mount at " + path);
    }
    static void check(bool good, const std::string& what) {
        if (!good) throw std::system_error(errno, std::generic_category(), what);
    }

    fs::path root_;
};

KEELSON_PLUGIN(ScratchVolume, "com.example.scratch-volume", SCRATCH_VOLUME_VERSION)
