// Pictures into a data set, over any number of ranks: rank 0 lists the pictures, all look whether
// they can be decoded, then each shard is encoded by one rank. The bytes do not depend on how many
// there are, and whole shards stay whenever the program ends.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "data/pictures/encode.h"
#include "parallel/comm/communicator.h"

namespace edt {

struct EncodeRequest {
  data::EncodeOptions options;
  bool skip_broken = false;  // pictures that cannot be decoded are left out, else refused
};

struct EncodeEvents {
  // On rank 0, of all ranks: "list" (of an unknown number: 0), "look", "encode".
  std::function<void(std::string_view phase, std::uint64_t done, std::uint64_t total)> progress;
  // On any rank, between two pictures.
  std::function<bool()> stop_requested;
};

struct EncodeOutcome {
  bool stopped = false;  // whole shards stay, and the same call goes on behind them
  std::uint64_t samples = 0, encoded = 0;  // of the set; by this call
  std::uint64_t left_out = 0;              // pictures
  data::WriteReport shards;
  double seconds = 0;         // that encoding took
  double seconds_waited = 0;  // of them, rank 0 for pictures
};

// Names and reasons of pictures that were left out, a line each.
std::filesystem::path left_out_file(const std::filesystem::path& out);

// All ranks of `world` together; each has an encoder of its own. DataError or UsageError, with
// nothing written, where a picture has no label, where one is broken and none may be, and where
// `options.out` holds another set.
EncodeOutcome encode_over_ranks(const EncodeRequest& request, data::Encoder& encoder,
                                Communicator& world, const EncodeEvents& events);

}  // namespace edt
