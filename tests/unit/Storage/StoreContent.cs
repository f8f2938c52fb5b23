using System.Security.Cryptography;
using PgBackup.Storage;

namespace PgBackup.Tests.Storage;

/// <summary>Bytes to put into stores and to know again.</summary>
internal static class StoreContent
{
    /// <summary>Bytes that no compression shortens and no shift resembles; the same for the same arguments.</summary>
    public static byte[] Bytes(long count, int seed = 1)
    {
        byte[] bytes = new byte[count];
        new Random(HashCode.Combine(seed) & int.MaxValue).NextBytes(bytes);
        return bytes;
    }

    /// <summary>Puts bytes in pieces of an odd size.</summary>
    public static async Task WriteAsync(this ObjectWriter writer, byte[] content, int piece)
    {
        for (int at = 0; at < content.Length; at += piece)
            await writer.WriteAsync(content.AsMemory(at, Math.Min(piece, content.Length - at)));
    }

    /// <summary>Reads an object, or a part of it, to its end.</summary>
    public static async Task<byte[]> ReadAsync(this IObjectStore store, string key, long offset = 0, long? length = null)
    {
        await using Stream source = await store.OpenReadAsync(key, offset, length);
        using MemoryStream all = new();
        await source.CopyToAsync(all);
        return all.ToArray();
    }

    /// <summary>The digest of what a stream still holds.</summary>
    public static async Task<string> DigestAsync(Stream source) => Convert.ToHexString(await SHA256.HashDataAsync(source));

    /// <summary>The digest of bytes.</summary>
    public static string Digest(byte[] content) => Convert.ToHexString(SHA256.HashData(content));

    /// <summary>The keys of a folder, in order.</summary>
    public static async Task<List<string>> KeysAsync(this IObjectStore store, string folder = "", bool recursive = true)
    {
        List<string> keys = [];
        await foreach (StoredObject item in store.ListAsync(folder, recursive))
            keys.Add(item.Key);
        keys.Sort(StringComparer.Ordinal);
        return keys;
    }

    /// <summary>The folders of a folder, in order.</summary>
    public static async Task<List<string>> FoldersAsync(this IObjectStore store, string folder)
    {
        List<string> names = [];
        await foreach (string name in store.ListFoldersAsync(folder))
            names.Add(name);
        names.Sort(StringComparer.Ordinal);
        return names;
    }

    /// <summary>The keys of the objects in flight, in order.</summary>
    public static async Task<List<string>> UnfinishedAsync(this IObjectStore store, string folder = "")
    {
        List<string> keys = [];
        await foreach (UnfinishedObject item in store.ListUnfinishedAsync(folder))
            keys.Add(item.Key);
        keys.Sort(StringComparer.Ordinal);
        return keys;
    }
}
