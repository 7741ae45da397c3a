#!/bin/sh
# Lays out Flink at /opt/flink and takes away what no job needs. Run by the Dockerfile: slim.sh SITE_PACKAGES JARS
set -eu
site=$1
jars=$2

# The Flink distribution inside the wheel becomes /opt/flink: one copy, with a configuration folder that can be mounted over.
mkdir -p /opt/flink
for part in bin conf lib log opt plugins licenses; do
  mv "$site/pyflink/$part" "/opt/flink/$part"
done
# A task looks for the script that starts a Python worker beside the pyflink module.
mkdir "$site/pyflink/bin"
mv /opt/flink/bin/pyflink-udf-runner.sh "$site/pyflink/bin/"
# Application mode wants PyFlink's jar on the class path; PyFlink itself looks for it in opt.
mv /opt/flink/opt/flink-python-*.jar /opt/flink/lib/
(cd /opt/flink/opt && ln -s ../lib/flink-python-*.jar .)
rm -f /opt/flink/opt/flink-sql-client-*.jar
rm -rf /opt/flink/log/* "$site/pyflink/examples"

cp "$jars"/lib/*.jar /opt/flink/lib/
for jar in "$jars"/plugins/*.jar; do
  name=$(basename "$jar" .jar | sed 's/^flink-//; s/-[0-9.]*$//')
  mkdir -p "/opt/flink/plugins/$name"
  cp "$jar" "/opt/flink/plugins/$name/"
done

# State backends and network libraries of other systems and processors.
zip -q -d /opt/flink/lib/flink-dist-*.jar \
  'librocksdbjni-osx-*' 'librocksdbjni-win*' 'librocksdbjni-linux32*' 'librocksdbjni-linux-*' 'librocksdbjni-*-musl.so' \
  'libforstjni-osx-*' 'libforstjni-win*' 'libforstjni-linux32*' 'libforstjni-linux-*' 'libforstjni-*-musl.so' \
  'META-INF/native/*_osx_*' 'META-INF/native/*_aarch_64*' 'META-INF/native/*windows*'

# Tests, sources and headers of Python packages, and what only compilers and editors read.
find "$site" -depth -type d \( -name tests -o -name __pycache__ \) -exec rm -rf {} +
find "$site" -type f \( -name '*.c' -o -name '*.cc' -o -name '*.cpp' -o -name '*.h' -o -name '*.hpp' -o -name '*.pyx' \
  -o -name '*.pxd' -o -name '*.pyi' -o -name '*.a' \) -delete
rm -f "$site"/onnxruntime/capi/libonnxruntime.so*  # for programs in C; Python has its own copy linked in
rm -rf "$site/pyarrow/include" "$site/numpy/_core/include" \
  "$site/pyarrow/libarrow_flight.so"* "$site/pyarrow/_flight"*.so "$site/pyarrow/libarrow_substrait.so"* \
  "$site/pyarrow/_substrait"*.so "$site/zstandard/_cffi"*.so

# Python never writes into the image: compile once, in a form that does not look at files' times.
python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash "$site"
