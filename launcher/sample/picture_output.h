// Where finished pictures go: a PNG grid, single PNGs, HDF5 latents, or an .npz for FID evaluators.
// Pictures come in batches; only the grid keeps them all.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "core/storage/hdf5.h"
#include "core/storage/npy.h"
#include "core/storage/partial_file.h"
#include "core/storage/png.h"
#include "data/decoder.h"

namespace edt {

struct OutputPaths {
  std::filesystem::path grid;     // one PNG with all pictures
  std::filesystem::path singles;  // a directory of 000000.png, 000001.png, ...
  std::filesystem::path latents;  // HDF5, data sets `latents` [N, C, S, S] and `labels` [N]
  std::filesystem::path npz;      // uint8 `arr_0` [N, H, W, 3]

  bool any() const { return !(grid.empty() && singles.empty() && latents.empty() && npz.empty()); }
};

class PictureOutput {
 public:
  // `columns`: pictures in a row of the grid. Throws SystemError where a file cannot be made.
  PictureOutput(const OutputPaths& paths, data::Decoder decoder, std::vector<std::int32_t> labels,
                std::int64_t channels, std::int64_t side, int columns);

  // Latents [n, C, S, S] of the next n pictures.
  void add(std::span<const float> latents);
  // Completes all files.
  void finish();

 private:
  void add_picture(const Image& image);

  OutputPaths paths_;
  data::Decoder decoder_;
  std::vector<std::int32_t> labels_;
  std::int64_t channels_, side_;
  int columns_;
  std::size_t done_ = 0;
  std::vector<Image> grid_;
  std::unique_ptr<PartialFile> partial_;  // of the latents
  std::optional<h5::File> file_;
  std::optional<h5::DataSet> rows_;
  std::optional<NpzWriter> npz_;
};

}  // namespace edt
