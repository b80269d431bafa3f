// Lists the pictures that people have: folders of classes, archives, and lists with labels.
#pragma once

#include <filesystem>
#include <functional>
#include <string_view>
#include <vector>

#include "data/class_order.h"
#include "data/pictures/index.h"

namespace edt::data {

struct PictureListOptions {
  std::vector<std::filesystem::path> pictures;  // folders and archives
  std::filesystem::path labels;                 // "name label" lines; empty: none
  ClassOrder class_order = ClassOrder::kAuto;
  int classes = 0;  // 0: as many as the folders or labels say; 1: all pictures are of one
};

// Whether a file counts as a picture, by its name: what torchvision's ImageFolder takes.
bool is_picture_name(std::string_view name);
// Whether it is a tar archive, by its name: .tar, .tar.gz, .tgz, .tar.zst, .tar.xz.
bool is_archive_name(std::string_view name);

// Adds all pictures, in this order: that of `pictures`, of folders as torchvision's ImageFolder
// (classes by name, then folders, then files), of archives as they lie in them, of a list its own.
// `progress` is called with the number so far. UsageError or DataError, saying what is there, where
// a picture has no label.
PictureSources list_pictures(const PictureListOptions& options, PictureIndexWriter& index,
                             const std::function<void(std::uint64_t)>& progress = {});

// How many classes: as many as were asked for or as follow from names and the largest label.
// UsageError where these disagree.
int classes_of(const PictureListOptions& options, const PictureSources& sources);

}  // namespace edt::data
