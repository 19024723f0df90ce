#!/usr/bin/env ruby
# SPDX-License-Identifier: Apache-2.0
# frozen_string_literal: true

# Renders a BOSH job's templates as the Director and `bosh create-env` do: render_job.rb JOB OUT, with {"properties": {...}} on standard
# input. JOB is the job's folder in a release, OUT gets the files. Prints the properties that the templates asked for, as JSON. What
# goes wrong in a template is told with its name, and exit status 1.

require 'erb'
require 'fileutils'
require 'json'
require 'yaml'

# What a template sees as its own methods.
class Context
  # What comes behind a condition that did not hold.
  class Else
    def initialize(context)
      @context = context
    end

    def else
      yield
    end

    def else_if_p(*names, &block)
      @context.if_p(*names, &block)
    end

    def else_if_link(name, &block)
      @context.if_link(name, &block)
    end
  end

  # And behind one that did: nothing more is done.
  class Done
    def else; end

    def else_if_p(*)
      self
    end

    def else_if_link(*)
      self
    end
  end

  attr_reader :asked, :name, :index, :properties

  def initialize(name, declared, given)
    @name = name
    @index = 0
    @asked = []
    @properties = {}
    # only what the job declares is there; null is the same as not set, and then the default is
    declared.each do |property, facts|
      value = find(given, property)
      put(property, value.nil? ? (facts || {})['default'] : value)
    end
  end

  def p(names, *default)
    names = Array(names)
    names.each do |name|
      value = ask(name)
      return value unless value.nil?
    end
    return default.first unless default.empty?

    raise KeyError, "Can't find property '#{names.join("', or '")}'"
  end

  def if_p(*names)
    values = names.map { |name| ask(name) }
    return Else.new(self) if values.any?(&:nil?)

    yield(*values)
    Done.new
  end

  # This job consumes no links.
  def link(name)
    raise KeyError, "Can't find link '#{name}'"
  end

  def if_link(_name)
    Else.new(self)
  end

  def bound
    binding
  end

  private

  def ask(name)
    @asked << name
    find(@properties, name)
  end

  def find(from, name)
    name.split('.').reduce(from) { |at, key| at.is_a?(Hash) ? at[key] : nil }
  end

  def put(name, value)
    *folders, last = name.split('.')
    at = folders.reduce(@properties) { |place, key| place[key] ||= {} }
    at[last] = value
  end
end

def render(source, target, context)
  template = ERB.new(File.read(source), trim_mode: '-')
  template.filename = source
  FileUtils.mkdir_p(File.dirname(target))
  File.write(target, template.result(context.bound))
rescue StandardError, SyntaxError => e
  abort("#{source}: #{e.message}")
end

job, out = ARGV
abort('usage: render_job.rb JOB OUT < properties') if out.nil?
spec = YAML.safe_load(File.read(File.join(job, 'spec')))
context = Context.new(spec['name'], spec['properties'], JSON.parse($stdin.read)['properties'])
spec['templates'].each { |from, to| render(File.join(job, 'templates', from), File.join(out, to), context) }
render(File.join(job, 'monit'), File.join(out, 'monit'), context)
puts JSON.dump('asked' => context.asked.uniq)
