using System.Buffers;
using System.Diagnostics;
using PgBackup.Codecs;
using PgBackup.Errors;

namespace PgBackup.Tests.Codecs;

/// <summary>Plaintexts, and ways to encode and decode them.</summary>
internal static class CodecSamples
{
    internal static byte[] Fixture(string name) => File.ReadAllBytes(Path.Combine(AppContext.BaseDirectory, "Codecs", "Fixtures", name));

    /// <summary>Text-like bytes: repetitive, with some noise.</summary>
    internal static byte[] Text(int length, int seed = 1)
    {
        var random = new Random(seed);
        byte[] bytes = new byte[length];
        for (int i = 0; i < length; i++)
            bytes[i] = i > 64 && random.Next(8) > 0 ? bytes[i - 1 - random.Next(60)] : (byte)random.Next(32, 127);
        return bytes;
    }

    internal static byte[] Noise(int length, int seed = 2)
    {
        byte[] bytes = new byte[length];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    /// <summary>One part of the given chunks.</summary>
    internal static byte[] EncodePart(PartEncoder encoder, IEnumerable<byte[]> chunks)
    {
        var output = new ArrayBufferWriter<byte>();
        using PartStream part = encoder.BeginPart();
        foreach (byte[] chunk in chunks)
        {
            byte[] encoded = new byte[encoder.MaxEncodedLength(chunk.Length)];
            int size = encoder.Encode(chunk, encoded);
            part.Append(chunk, encoded.AsSpan(0, size), output);
        }
        part.Complete(output);
        return output.WrittenSpan.ToArray();
    }

    /// <summary>An object as our writer makes it, or for the methods that we only read, as their own tools do.</summary>
    internal static byte[] Encode(CompressionMethod method, byte[] plaintext)
    {
        switch (method)
        {
            case CompressionMethod.Gzip:
                return Tool("gzip", ["-c"], plaintext);
            case CompressionMethod.Lzma:
                return Tool("xz", ["--format=lzma", "-c"], plaintext);
            default:
                var target = new MemoryStream();
                using (Stream stream = StreamEncoder.Open(target, method, leaveOpen: true))
                    stream.Write(plaintext);
                return target.ToArray();
        }
    }

    internal static byte[] Decode(CompressionMethod method, byte[] stored) => ReadAll(StreamDecoder.Open(new MemoryStream(stored), method, "sample"));

    internal static byte[] ReadAll(Stream stream)
    {
        using (stream)
        {
            var target = new MemoryStream();
            stream.CopyTo(target);
            return target.ToArray();
        }
    }

    /// <summary>Reads in pieces of one size, alternating between the synchronous and the asynchronous way.</summary>
    internal static async Task<byte[]> ReadInPiecesAsync(Stream stream, int pieceSize)
    {
        await using (stream)
        {
            var target = new MemoryStream();
            byte[] piece = new byte[pieceSize];
            bool asynchronous = false;
            int count;
            while ((count = asynchronous ? await stream.ReadAsync(piece) : stream.Read(piece)) > 0)
            {
                target.Write(piece, 0, count);
                asynchronous = !asynchronous;
            }
            return target.ToArray();
        }
    }

    internal static PgBackupException AssertFails(string id, Action action)
    {
        PgBackupException error = Assert.Throws<PgBackupException>(action);
        Assert.Equal(id, error.Id);
        return error;
    }

    /// <summary>Runs a program as a filter; a program that is missing or fails, fails the test.</summary>
    internal static byte[] Tool(string name, string[] arguments, byte[] input)
    {
        var start = new ProcessStartInfo(name, arguments) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        using Process process = Process.Start(start) ?? throw new InvalidOperationException($"{name} did not start.");
        Task feed = Task.Run(() =>
        {
            using Stream standardInput = process.StandardInput.BaseStream;
            standardInput.Write(input);
        });
        Task<string> errors = process.StandardError.ReadToEndAsync();
        var output = new MemoryStream();
        process.StandardOutput.BaseStream.CopyTo(output);
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, $"{name} {string.Join(' ', arguments)}: {errors.GetAwaiter().GetResult()}");
        feed.GetAwaiter().GetResult();
        return output.ToArray();
    }
}

/// <summary>A source that gives a few bytes at a time, as a network does.</summary>
internal sealed class SlowStream(byte[] bytes, int step) : MemoryStream(bytes)
{
    public override int Read(Span<byte> buffer) => base.Read(buffer[..Math.Min(step, buffer.Length)]);

    public override int Read(byte[] buffer, int offset, int count) => base.Read(buffer, offset, Math.Min(step, count));

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
        base.ReadAsync(buffer[..Math.Min(step, buffer.Length)], cancellationToken);
}
