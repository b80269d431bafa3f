// Cluster descriptions as INI files, with measured kernel times in a table beside them.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "model/plan/cluster.h"

namespace edt {

// A preset's name or a file. Throws UsageError naming file, line and key.
Cluster read_cluster(const std::string& name_or_file);
std::vector<std::string> cluster_presets();

// Writes FILE.ini and FILE.kernels.tsv, its table.
std::filesystem::path kernel_table_of(const std::filesystem::path& file);
void write_cluster(const Cluster& cluster, const std::filesystem::path& file);

// "seconds<TAB>kernel" lines; "*name" is a flat kernel, in seconds per byte.
KernelTimes parse_kernel_times(std::string_view text, const std::string& name);
std::string format_kernel_times(const KernelTimes& times);

}  // namespace edt
