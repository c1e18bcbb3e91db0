// Must not compile: publish takes the request of another method.
#include "keelson/volume.hpp"

class Mistaken : public keelson::VolumePlugin {
  public:
    void publish(const keelson::volume::Stage& /*request*/) {}
};

KEELSON_PLUGIN(Mistaken, "com.example.mistaken", "1.0.0")
