// Where finished pictures go: a PNG grid, single PNGs, latents, or an .npz for FID evaluators.
// Pictures come in batches; only the grid keeps them all.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "core/image/png.h"
#include "core/storage/npy.h"
#include "data/picture_decoder.h"
#include "launcher/sample/latents_file.h"

namespace edt {

struct OutputPaths {
  std::filesystem::path grid;     // one PNG with all pictures
  std::filesystem::path singles;  // a directory of 000000.png, 000001.png, ...
  std::filesystem::path latents;  // `latents` [N, C, S, S], `labels` [N], and what decoding needs
  std::filesystem::path npz;      // uint8 `arr_0` [N, H, W, 3]
  bool replace = false;           // pictures of an earlier call that `singles` has

  bool pictures() const { return !(grid.empty() && singles.empty() && npz.empty()); }
  bool any() const { return pictures() || !latents.empty(); }
};

class PictureOutput {
 public:
  // `columns`: pictures in a row of the grid; `notes`: what a file of latents says of itself.
  // Throws UsageError for places that cannot be written, and for what would not be what it seems:
  // false colours in an .npz, pictures of two calls in one directory.
  PictureOutput(const OutputPaths& paths, std::shared_ptr<const data::PictureDecoder> decoder,
                std::vector<std::int32_t> labels, const h5::Shape& sample, int columns,
                const nlohmann::ordered_json& notes);

  // Latents [n, C, S, S] of the next n pictures.
  void add(std::span<const float> latents);
  // Completes all files.
  void finish();

 private:
  void add_picture(const Image& image);

  OutputPaths paths_;
  std::shared_ptr<const data::PictureDecoder> decoder_;
  std::vector<std::int32_t> labels_;
  std::uint64_t elements_, side_;  // of the latents of one picture
  int columns_;
  std::size_t done_ = 0;
  std::vector<Image> grid_;
  std::vector<std::filesystem::path> replaced_;  // removed when the first picture is there
  std::unique_ptr<LatentsFile> latents_;
  std::optional<NpzWriter> npz_;
};

}  // namespace edt
