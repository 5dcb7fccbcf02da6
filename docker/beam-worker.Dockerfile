# syntax=docker/dockerfile:1
# What Beam's workers run on Dataflow: the pipeline's image, started by Beam's boot program.
#
#   docker build --file docker/beam-worker.Dockerfile --build-arg PIPELINE_IMAGE=IMAGE docker
#
# A file of its own, so that the other images are built without Beam's. BEAM_IMAGE has the
# Python and the
# apache-beam of requirements/py313/pipeline.txt; nothing but the program is taken from it.
ARG BEAM_IMAGE=apache/beam_python3.13_sdk:2.77.0
ARG PIPELINE_IMAGE=hpatches-pipeline

FROM ${BEAM_IMAGE} AS beam

FROM ${PIPELINE_IMAGE}
COPY --from=beam /opt/apache/beam /opt/apache/beam
# The packages are in an environment of their own, which the program would not look into if it
# made another one.
ENV RUN_PYTHON_SDK_IN_DEFAULT_ENVIRONMENT=1
# Dataflow mounts folders below /var/opt that only root may write.
# hadolint ignore=DL3002
USER 0
ENTRYPOINT ["/opt/apache/beam/boot"]
CMD []
