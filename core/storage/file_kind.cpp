#include "core/storage/file_kind.h"

#include <fmt/format.h>
#include <zip.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

#include "core/base/error.h"
#include "core/base/shell_text.h"
#include "core/storage/input_file.h"

namespace edt {

namespace {

using namespace std::string_view_literals;

struct Signature {
  std::uint64_t offset;
  std::string_view bytes;
  FileKind kind;
};

constexpr std::array kSignatures{
    Signature{0, "\x93NUMPY"sv, FileKind::kNpy},
    Signature{0, "PK\x03\x04"sv, FileKind::kZip},
    Signature{0, "PK\x05\x06"sv, FileKind::kZip},  // an empty one
    Signature{0, "EDTSEAL1"sv, FileKind::kShard},
    // A pickled long integer that torch.save once put before everything else.
    Signature{0, "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"sv,
              FileKind::kTorchLegacy},
    Signature{0, "\x80\x02"sv, FileKind::kPickle},
    Signature{0, "\x80\x03"sv, FileKind::kPickle},
    Signature{0, "\x80\x04"sv, FileKind::kPickle},
    Signature{0, "\x80\x05"sv, FileKind::kPickle},
    Signature{257, "ustar"sv, FileKind::kTar},
    Signature{0, "\x1f\x8b"sv, FileKind::kGzip},
    Signature{0, "\x28\xb5\x2f\xfd"sv, FileKind::kZstd},
    Signature{0,
              "\xfd"
              "7zXZ"sv,
              FileKind::kXz},
    Signature{0, "PAR1"sv, FileKind::kParquet},
    Signature{0, "ARROW1"sv, FileKind::kArrow},
    Signature{0, "SQLite format 3"sv, FileKind::kSqlite},
    Signature{0, "\x89PNG"sv, FileKind::kPng},
    Signature{0, "\xff\xd8\xff"sv, FileKind::kJpeg},
    Signature{0, "version https://git-lfs"sv, FileKind::kGitLfs},
    Signature{0, "<!DOCTYPE"sv, FileKind::kWebPage},
    Signature{0, "<!doctype"sv, FileKind::kWebPage},
    Signature{0, "<html"sv, FileKind::kWebPage},
};

// Eight bytes of length, then the header. Before the signatures: the length may look like one.
bool is_safetensors(std::string_view start, std::uint64_t file_size) {
  if (start.size() <= 8 || start[8] != '{') return false;
  std::uint64_t header = 0;
  std::memcpy(&header, start.data(), sizeof(header));
  return header <= file_size - 8;
}

// Protocols 0 and 1 of pickle have no signature: they begin with a name ("cnumpy.core.multiarray\n
// _reconstruct\n"), a dictionary, a list or a tuple, and end with a stop.
bool is_old_pickle(std::string_view start, const InputFile& file) {
  char last = 0;
  file.read(file.size() - 1, std::as_writable_bytes(std::span(&last, 1)));
  if (last != '.') return false;
  for (const std::string_view begin : {"(dp"sv, "(lp"sv, "}q\0"sv, "]q\0"sv}) {
    if (start.starts_with(begin)) return true;
  }
  if (start[0] == '(') start.remove_prefix(1);  // of a tuple
  const auto is_name = [](std::string_view text) {
    return !text.empty() && std::ranges::all_of(text, [](unsigned char c) {
      return std::isalnum(c) || c == '_' || c == '.';
    });
  };
  const auto module_end = start.find('\n');
  if (!start.starts_with('c') || module_end == start.npos) return false;
  const auto name_end = start.find('\n', module_end + 1);
  return name_end != start.npos && is_name(start.substr(1, module_end - 1)) &&
         is_name(start.substr(module_end + 1, name_end - module_end - 1));
}

// HDF5 looks for its signature at 0, 512, 1024, 2048, ...
bool is_hdf5(const InputFile& file) {
  constexpr std::string_view kSignature = "\x89HDF\r\n\x1a\n"sv;
  std::array<char, kSignature.size()> bytes{};
  for (std::uint64_t at = 0; file.size() >= bytes.size() && at <= file.size() - bytes.size();
       at = at == 0 ? 512 : 2 * at) {
    file.read(at, std::as_writable_bytes(std::span(bytes)));
    if (std::string_view(bytes.data(), bytes.size()) == kSignature) return true;
  }
  return false;
}

// torch.save makes NAME/data.pkl and NAME/data/0, ...
bool holds_pickle(const std::filesystem::path& path) {
  int code = 0;
  const std::unique_ptr<zip_t, void (*)(zip_t*)> archive(zip_open(path.c_str(), ZIP_RDONLY, &code),
                                                         [](zip_t* open) {
                                                           if (open) zip_discard(open);
                                                         });
  if (!archive) return false;
  constexpr zip_int64_t kMost = 8;  // it stands at the beginning
  const zip_int64_t count = std::min(zip_get_num_entries(archive.get(), 0), kMost);
  for (zip_int64_t i = 0; i < count; ++i) {
    const char* name = zip_get_name(archive.get(), static_cast<zip_uint64_t>(i), ZIP_FL_ENC_RAW);
    if (name != nullptr && std::string_view(name).ends_with("/data.pkl")) return true;
  }
  return false;
}

}  // namespace

FileKind kind_of_file(const std::filesystem::path& path) {
  const InputFile file(path);
  if (file.size() == 0) return FileKind::kEmpty;
  std::string start(std::min<std::uint64_t>(file.size(), 512), '\0');
  file.read(0, std::as_writable_bytes(std::span(start)));
  if (is_safetensors(start, file.size())) return FileKind::kSafetensors;
  for (const Signature& signature : kSignatures) {
    if (std::string_view(start)
            .substr(std::min<std::size_t>(signature.offset, start.size()))
            .starts_with(signature.bytes)) {
      const bool torch = signature.kind == FileKind::kZip && holds_pickle(path);
      return torch ? FileKind::kTorchZip : signature.kind;
    }
  }
  if (is_hdf5(file)) return FileKind::kHdf5;
  if (is_old_pickle(start, file)) return FileKind::kPickle;
  if (start[0] == '{') return FileKind::kJson;
  return FileKind::kUnknown;
}

std::string_view described(FileKind kind) {
  switch (kind) {
    case FileKind::kNpy:
      return "an .npy array";
    case FileKind::kZip:
      return "a zip archive";
    case FileKind::kSafetensors:
      return "a safetensors file";
    case FileKind::kHdf5:
      return "an HDF5 file";
    case FileKind::kShard:
      return "a shard of a data set";
    case FileKind::kTorchZip:
    case FileKind::kTorchLegacy:
      return "a PyTorch file (torch.save)";
    case FileKind::kPickle:
      return "a pickle of Python";
    case FileKind::kTar:
      return "a tar archive: unpack it first";
    case FileKind::kGzip:
      return "compressed by gzip: gunzip it first";
    case FileKind::kZstd:
      return "compressed by zstd: unzstd it first";
    case FileKind::kXz:
      return "compressed by xz: unxz it first";
    case FileKind::kParquet:
      return "a Parquet table: save its columns as arrays first";
    case FileKind::kArrow:
      return "an Arrow table: save its columns as arrays first";
    case FileKind::kSqlite:
      return "an SQLite database";
    case FileKind::kPng:
    case FileKind::kJpeg:
      return "a picture, not latents: encode it with the VAE first";
    case FileKind::kJson:
      return "JSON";
    case FileKind::kGitLfs:
      return "a pointer of Git LFS, not the file itself: git lfs pull fetches that";
    case FileKind::kWebPage:
      return "a web page: the download was answered by one";
    case FileKind::kEmpty:
      return "empty";
    case FileKind::kUnknown:
      break;
  }
  return "of no known format";
}

void refuse_other_kind(const std::filesystem::path& path, std::span<const FileKind> expected,
                       std::string_view where) {
  const FileKind kind = kind_of_file(path);
  const bool is_other =
      kind != FileKind::kUnknown && std::ranges::find(expected, kind) == expected.end();
  require<DataError>(!is_other, where, "{}: is {}", path.string(), described(kind));
}

std::string way_to_safetensors(FileKind kind, const std::filesystem::path& path) {
  if (kind == FileKind::kTorchZip || kind == FileKind::kTorchLegacy) {
    return fmt::format(
        ", convert it: python3 -c \"import sys, torch, safetensors.torch as s; f = sys.argv[1]; d "
        "= torch.load(f, map_location='cpu', weights_only=False); d = d.get('ema', "
        "d.get('state_dict', d.get('model', d))); s.save_file({{k: v.contiguous() for k, v in "
        "d.items()}}, f + '.safetensors')\" {}",
        shell_quoted(path.string()));
  }
  if (kind == FileKind::kJson && path.string().ends_with(".index.json")) {
    return fmt::format(
        "; it names files of parts, join them: python3 -c \"import sys, glob, os, "
        "safetensors.torch as s; d = {{}}; [d.update(s.load_file(f)) for f in "
        "glob.glob(os.path.join(glob.escape(sys.argv[1]), '*-of-*.safetensors'))]; s.save_file(d, "
        "os.path.join(sys.argv[1], 'diffusion_pytorch_model.safetensors'))\" {}",
        shell_quoted(path.has_parent_path() ? path.parent_path().string() : "."));
  }
  return "";
}

}  // namespace edt
